$refusing = @($Connectors | Where-Object {
    $_.Settings.RestrictDomainsToIPAddresses -or $_.Settings.RestrictDomainsToCertificate
})
foreach ($each in $refusing) {
    $domains = @($each.Settings.SenderDomains) -join ', '
    Write-Warning "$($each.Name): from now on mail of $domains that comes without a login is refused from anywhere else (5.7.51), whether or not RejectDirectSend is on."
}
if ($Blockers.Count) {
    $Blockers | ForEach-Object { Write-Warning "in the way: $_" }
    if ($Apply -and $refusing.Count) { throw 'The plan is not ready, and these connectors refuse mail. Decide what is in the way, and plan again.' }
}
foreach ($each in $Connectors) {
    $found = @(Find-Connector $each.Name)
    if ($found.Count -gt 1) { throw "There are several connectors named $($each.Name)." }
    if ($found.Count -and (Test-Connector $found[0] $each.Settings)) {
        Write-Output "already so: $($each.Name)"
    } elseif ($each.Action -eq 'create') {
        if ($found.Count) { throw "A connector named $($each.Name) exists with other settings. Plan again." }
        Write-Step "New-InboundConnector $($each.Name)"
        $parameters = Get-Parameter $each.Settings
        New-InboundConnector -Name $each.Name @parameters -Comment $Mark -WhatIf:(-not $Apply)
    } elseif (-not $found.Count) {
        throw "The connector $($each.Name) is gone. Plan again."
    } elseif (-not (Test-Connector $found[0] $each.Before)) {
        throw "The connector $($each.Name) has changed since the plan was made. Plan again."
    } else {
        Write-Step "Set-InboundConnector $($each.Name)"
        $parameters = $each.Change
        Set-InboundConnector -Identity "$($found[0].Guid)" @parameters -WhatIf:(-not $Apply)
    }
}
