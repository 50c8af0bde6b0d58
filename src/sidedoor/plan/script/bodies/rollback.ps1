if ((Get-OrganizationConfig).RejectDirectSend -and $Planned.RejectDirectSend -ne $true) {
    Write-Step 'Set-OrganizationConfig -RejectDirectSend $false'
    Set-OrganizationConfig -RejectDirectSend $false -WhatIf:(-not $Apply)
}
[array]::Reverse($Connectors)
foreach ($each in $Connectors) {
    $found = @(Find-Connector $each.Name)
    if (-not $found.Count) { Write-Output "already gone: $($each.Name)"; continue }
    if ($each.Action -ne 'create') {
        if (Test-Connector $found[0] $each.Before) { Write-Output "already as it was: $($each.Name)"; continue }
        Write-Step "Set-InboundConnector $($each.Name)"
        $parameters = Get-Parameter $each.Before ($each.Kind -eq 'Partner')
        if (-not @($each.Before.SenderIPAddresses).Count) { $parameters.SenderIPAddresses = @() }
        Set-InboundConnector -Identity $found[0].Identity @parameters -WhatIf:(-not $Apply)
    } elseif ("$($found[0].Comment)" -ne $Mark) {
        Write-Warning "left alone, because this plan did not make it: $($each.Name)"
    } else {
        Write-Step "Remove-InboundConnector $($each.Name)"
        Remove-InboundConnector -Identity $found[0].Identity -Confirm:$false -WhatIf:(-not $Apply)
    }
}
[array]::Reverse($Rules)
foreach ($each in $Rules) {
    $found = @(Get-TransportRule | Where-Object { $_.Name -eq $each.Name })
    if (-not $found.Count) { Write-Output "already gone: $($each.Name)"; continue }
    if ("$($found[0].Comments)" -ne $Mark) { Write-Warning "left alone, because this plan did not make it: $($each.Name)"; continue }
    Write-Step "Remove-TransportRule $($each.Name)"
    Remove-TransportRule -Identity $found[0].Identity -Confirm:$false -WhatIf:(-not $Apply)
}
