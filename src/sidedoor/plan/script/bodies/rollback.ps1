foreach ($each in $Steps) {
    if ($each.What -eq 'switch') {
        if (-not (Get-OrganizationConfig).RejectDirectSend) { Write-Output 'already so: RejectDirectSend is off'; continue }
        if ($Planned.RejectDirectSend) { Write-Output 'left on, as it was before the plan: RejectDirectSend'; continue }
        if ($null -eq $Planned.RejectDirectSend) {
            Write-Warning 'RejectDirectSend is on, and nobody knows whether it was before the plan: set it by hand.'
            continue
        }
        Write-Step 'Set-OrganizationConfig -RejectDirectSend $false'
        Set-OrganizationConfig -RejectDirectSend $false -WhatIf:(-not $Apply)
        if ($Apply) {
            Write-Warning 'It takes up to 30 minutes to be off everywhere, and until then the connectors are needed. Run this script again after that: it takes back the rest.'
            break
        }
    } elseif ($each.What -eq 'rule') {
        $found = @(Get-TransportRule | Where-Object { [string]::Equals($_.Name, $each.Name, 'OrdinalIgnoreCase') })
        if (-not $found.Count) { Write-Output "already gone: $($each.Name)"; continue }
        if (-not "$($found[0].Comments)".StartsWith($Mark)) { Write-Warning "left alone, because no plan made it: $($each.Name)"; continue }
        Write-Step "Remove-TransportRule $($each.Name)"
        Remove-TransportRule -Identity "$($found[0].Guid)" -Confirm:$false -WhatIf:(-not $Apply)
    } else {
        $found = @(Find-Connector $each.Name)
        if (-not $found.Count) { Write-Output "already gone: $($each.Name)"; continue }
        if ($each.Action -eq 'create') {
            if ("$($found[0].Comment)" -ne $Mark) { Write-Warning "left alone, because no plan made it: $($each.Name)"; continue }
            Write-Step "Remove-InboundConnector $($each.Name)"
            Remove-InboundConnector -Identity "$($found[0].Guid)" -Confirm:$false -WhatIf:(-not $Apply)
        } elseif (Test-Connector $found[0] $each.Before) {
            Write-Output "already as it was: $($each.Name)"
        } elseif (-not (Test-Connector $found[0] $each.Settings)) {
            Write-Warning "left alone, because somebody has changed it since: $($each.Name)"
        } else {
            Write-Step "Set-InboundConnector $($each.Name)"
            $parameters = $each.Back
            Set-InboundConnector -Identity "$($found[0].Guid)" @parameters -WhatIf:(-not $Apply)
        }
    }
}
