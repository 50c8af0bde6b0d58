foreach ($each in $Connectors) {
    $found = @(Find-Connector $each.Name)
    $parameters = Get-Parameter $each.Settings ($each.Kind -eq 'Partner')
    if ($found.Count -and (Test-Connector $found[0] $each.Settings)) {
        Write-Output "already so: $($each.Name)"
    } elseif ($found.Count -and $each.Action -eq 'create') {
        throw "A connector named $($each.Name) exists with other settings. Plan again."
    } elseif ($each.Action -eq 'create') {
        Write-Step "New-InboundConnector $($each.Name)"
        New-InboundConnector -Name $each.Name -ConnectorType $each.Kind @parameters -Comment $Mark -WhatIf:(-not $Apply)
    } elseif (-not $found.Count) {
        throw "The connector $($each.Name) is gone. Plan again."
    } else {
        Write-Step "Set-InboundConnector $($each.Name)"
        Set-InboundConnector -Identity $found[0].Identity @parameters -WhatIf:(-not $Apply)
    }
}
