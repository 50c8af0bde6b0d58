$problems = @()
$organization = Get-OrganizationConfig
if (-not ($organization.PSObject.Properties.Name -contains 'RejectDirectSend')) {
    $problems += 'this module does not show RejectDirectSend: update ExchangeOnlineManagement'
} elseif ($null -eq $Planned.RejectDirectSend) {
    Write-Output "RejectDirectSend is $($organization.RejectDirectSend); when the plan was made nobody knew. Note it down."
} elseif ($Planned.RejectDirectSend -and -not $organization.RejectDirectSend) {
    $problems += 'RejectDirectSend is off; the plan was made when it was on'
} elseif ($organization.RejectDirectSend) {
    Write-Output 'RejectDirectSend is on.'
}
$domains = @((Get-AcceptedDomain).DomainName | ForEach-Object { [Globalization.IdnMapping]::new().GetAscii("$_") })
if (-not (Test-Same $domains $Planned.AcceptedDomains)) {
    $problems += 'the accepted domains are not those that the plan was made for'
}
foreach ($each in $Connectors) {
    $found = @(Find-Connector $each.Name)
    if ($found.Count -and (Test-Connector $found[0] $each.Settings)) { continue }
    if ($each.Action -eq 'create') {
        if ($found.Count) { $problems += "a connector named $($each.Name) exists with other settings" }
    } elseif (-not $found.Count) {
        $problems += "the connector $($each.Name) is gone"
    } elseif (-not (Test-Connector $found[0] $each.Before)) {
        $problems += "the connector $($each.Name) has changed since the plan was made"
    }
}
foreach ($each in $Rules) {
    $found = @(Get-TransportRule | Where-Object { [string]::Equals($_.Name, $each.Name, 'OrdinalIgnoreCase') })
    if ($found.Count -and -not "$($found[0].Comments)".StartsWith($Mark)) {
        $problems += "a rule named $($each.Name) exists that no plan of Sidedoor made"
    }
}
if ($problems.Count) {
    $problems | ForEach-Object { Write-Warning $_ }
    throw 'The tenant is not the one that the plan was made for. Audit and plan again.'
}
$Blockers | ForEach-Object { Write-Warning "in the way: $_" }
Write-Output 'The tenant is as it was when the plan was made, or has what the plan makes.'
