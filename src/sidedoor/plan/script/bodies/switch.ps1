if ((Get-OrganizationConfig).RejectDirectSend) {
    Write-Output 'already so: RejectDirectSend is on'
} else {
    $problems = @($Blockers)
    foreach ($each in $Connectors) {
        $found = @(Find-Connector $each.Name)
        if (-not $found.Count) { $problems += "there is no connector $($each.Name): run 30-connectors.ps1 first" }
        elseif (-not (Test-Connector $found[0] $each.Settings)) { $problems += "the connector $($each.Name) has other settings" }
    }
    $problems | ForEach-Object { Write-Warning "in the way: $_" }
    if ($Apply -and $problems.Count) { throw 'Not switched: honest mail may be refused.' }
    Write-Step 'Set-OrganizationConfig -RejectDirectSend $true'
    Set-OrganizationConfig -RejectDirectSend $true -WhatIf:(-not $Apply)
    if ($Apply) { Write-Output 'It takes up to 30 minutes to be in force everywhere. Then run the next script.' }
}
