$problems = @()
$organization = Get-OrganizationConfig
if (-not ($organization.PSObject.Properties.Name -contains 'RejectDirectSend')) {
    $problems += 'this module does not show RejectDirectSend: update ExchangeOnlineManagement'
} elseif ($null -ne $Planned.RejectDirectSend -and [bool] $organization.RejectDirectSend -ne $Planned.RejectDirectSend) {
    $problems += "RejectDirectSend is $($organization.RejectDirectSend); the plan was made when it was $($Planned.RejectDirectSend)"
}
if (-not (Test-Same (Get-AcceptedDomain).DomainName $Planned.AcceptedDomains)) {
    $problems += 'the accepted domains are not those that the plan was made for'
}
foreach ($each in $Connectors) {
    $found = @(Find-Connector $each.Name)
    if ($each.Action -eq 'create' -and $found.Count -and -not (Test-Connector $found[0] $each.Settings)) {
        $problems += "a connector named $($each.Name) exists with other settings"
    }
    if ($each.Action -ne 'create') {
        if (-not $found.Count) { $problems += "the connector $($each.Name) is gone" }
        elseif (-not (Test-Connector $found[0] $each.Before) -and -not (Test-Connector $found[0] $each.Settings)) {
            $problems += "the connector $($each.Name) has changed since the plan was made"
        }
    }
}
if ($problems.Count) {
    $problems | ForEach-Object { Write-Warning $_ }
    throw 'The tenant is not the one that the plan was made for. Audit and plan again.'
}
Write-Output 'The tenant is as it was when the plan was made.'
