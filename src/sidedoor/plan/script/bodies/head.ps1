Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

function Write-Step([string] $What) {
    if ($Apply) { Write-Output "doing: $What" } else { Write-Output "would: $What" }
}

function Test-Same($One, $Other) {
    $a = @(@($One) | ForEach-Object { "$_".ToLowerInvariant() -replace '^smtp:', '' -replace ';1$', '' } | Sort-Object)
    $b = @(@($Other) | ForEach-Object { "$_".ToLowerInvariant() -replace '^smtp:', '' -replace ';1$', '' } | Sort-Object)
    ($a -join '|') -eq ($b -join '|')
}

function Find-Connector([string] $Name) {
    # By comparison, not by -Identity: a name may hold what -Identity would take for a wildcard or a path.
    @(Get-InboundConnector | Where-Object { $_.Name -eq $Name })
}

function Test-Connector($Found, $Wanted) {
    (Test-Same $Found.SenderDomains $Wanted.SenderDomains) -and
    (Test-Same $Found.SenderIPAddresses $Wanted.SenderIPAddresses) -and
    ("$($Found.TlsSenderCertificateName)" -eq "$($Wanted.TlsSenderCertificateName)") -and
    ([bool] $Found.Enabled -eq [bool] $Wanted.Enabled) -and
    (("$($Found.ConnectorType)" -ne 'Partner') -or (Test-Restriction $Found $Wanted))
}

function Test-Restriction($Found, $Wanted) {
    ([bool] $Found.RequireTls -eq [bool] $Wanted.RequireTls) -and
    ([bool] $Found.RestrictDomainsToIPAddresses -eq [bool] $Wanted.RestrictDomainsToIPAddresses) -and
    ([bool] $Found.RestrictDomainsToCertificate -eq [bool] $Wanted.RestrictDomainsToCertificate)
}

function Get-Parameter($Wanted, [bool] $Partner) {
    $parameters = @{ SenderDomains = $Wanted.SenderDomains; Enabled = $Wanted.Enabled }
    if (@($Wanted.SenderIPAddresses).Count) { $parameters.SenderIPAddresses = $Wanted.SenderIPAddresses }
    if ($Wanted.TlsSenderCertificateName) { $parameters.TlsSenderCertificateName = $Wanted.TlsSenderCertificateName }
    if ($Partner) {
        # Honoured on Partner connectors only.
        $parameters.RequireTls = $Wanted.RequireTls
        $parameters.RestrictDomainsToIPAddresses = $Wanted.RestrictDomainsToIPAddresses
        $parameters.RestrictDomainsToCertificate = $Wanted.RestrictDomainsToCertificate
    }
    $parameters
}
