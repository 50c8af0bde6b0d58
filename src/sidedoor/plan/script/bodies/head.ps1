Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

function Write-Step([string] $What) {
    if ($Apply) { Write-Output "doing: $What" } else { Write-Output "would: $What" }
}

function Test-Same($One, $Other) {
    $a = @(@($One) | ForEach-Object { "$_".ToLowerInvariant() -replace '^smtp:', '' -replace ';\d+$', '' } | Sort-Object)
    $b = @(@($Other) | ForEach-Object { "$_".ToLowerInvariant() -replace '^smtp:', '' -replace ';\d+$', '' } | Sort-Object)
    ($a -join '|') -eq ($b -join '|')
}

function Find-Connector([string] $Name) {
    # By comparison, not by -Identity: a name may hold what -Identity would take for a wildcard or a path. Ordinal,
    # because -eq looks past characters that cannot be seen.
    @(Get-InboundConnector | Where-Object { [string]::Equals("$($_.Name)".Trim(), $Name.Trim(), 'OrdinalIgnoreCase') })
}

function Test-Connector($Found, $Wanted) {
    ("$($Found.ConnectorType)" -eq $Wanted.ConnectorType) -and
    (Test-Same $Found.SenderDomains $Wanted.SenderDomains) -and
    (Test-Same $Found.SenderIPAddresses $Wanted.SenderIPAddresses) -and
    ("$($Found.TlsSenderCertificateName)" -eq "$($Wanted.TlsSenderCertificateName)") -and
    (($null -eq $Wanted.Enabled) -or ([bool] $Found.Enabled -eq $Wanted.Enabled)) -and
    (("$($Found.ConnectorType)" -ne 'Partner') -or (Test-Restriction $Found $Wanted))
}

function Test-Restriction($Found, $Wanted) {
    # What is $null here was not known when the plan was made; the plan does not touch it.
    (($null -eq $Wanted.RequireTls) -or ([bool] $Found.RequireTls -eq $Wanted.RequireTls)) -and
    (($null -eq $Wanted.RestrictDomainsToIPAddresses) -or
        ([bool] $Found.RestrictDomainsToIPAddresses -eq $Wanted.RestrictDomainsToIPAddresses)) -and
    (($null -eq $Wanted.RestrictDomainsToCertificate) -or
        ([bool] $Found.RestrictDomainsToCertificate -eq $Wanted.RestrictDomainsToCertificate))
}

function Get-Parameter($Wanted) {
    $parameters = @{}
    foreach ($name in @($Wanted.Keys)) {
        if (($null -ne $Wanted[$name]) -and (@($Wanted[$name]).Count -gt 0)) { $parameters[$name] = $Wanted[$name] }
    }
    $parameters
}
