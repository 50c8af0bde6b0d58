$problems = @()
if (-not (Get-OrganizationConfig).RejectDirectSend) { $problems += 'RejectDirectSend is not on' }
foreach ($each in $Connectors) {
    $found = @(Find-Connector $each.Name)
    if (-not $found.Count) { $problems += "there is no connector $($each.Name)" }
    elseif (-not (Test-Connector $found[0] $each.Settings)) { $problems += "the connector $($each.Name) has other settings" }
}
if ($problems.Count) {
    $problems | ForEach-Object { Write-Warning $_ }
    throw 'The plan is not in force as a whole.'
}
Write-Output 'The settings are as planned. Ask the door from outside: sidedoor probe.'
