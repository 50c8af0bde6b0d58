$problems = @()
if (-not (Get-OrganizationConfig).RejectDirectSend) { $problems += 'RejectDirectSend is not on' }
foreach ($each in $Connectors) {
    $found = @(Find-Connector $each.Name)
    if ($found.Count -and (Test-Connector $found[0] $each.Settings)) { Write-Output "in place: $($each.Name)"; continue }
    if ($each.Lockdown) { Write-Output "not in place yet: $($each.Name) (60-lockdown.ps1)"; continue }
    if (-not $found.Count) { $problems += "there is no connector $($each.Name)" }
    elseif ($each.Settings.Enabled -and -not $found[0].Enabled) { $problems += "the connector $($each.Name) is disabled" }
    else { $problems += "the connector $($each.Name) has other settings" }
}
foreach ($each in $Rules) {
    $found = @(Get-TransportRule | Where-Object { [string]::Equals($_.Name, $each.Name, 'OrdinalIgnoreCase') })
    if ($found.Count) { Write-Output "there: $($each.Name) ($($found[0].State))" } else { Write-Output "not there: $($each.Name)" }
}
if ($problems.Count) {
    $problems | ForEach-Object { Write-Warning $_ }
    throw 'The plan is not in force as a whole.'
}
Write-Output 'The settings are as planned. Ask the door from outside: sidedoor probe.'
