foreach ($each in $Rules) {
    $found = @(Get-TransportRule | Where-Object { $_.Name -eq $each.Name })
    if ($found.Count) { Write-Output "already there: $($each.Name)"; continue }
    Write-Step "New-TransportRule $($each.Name)"
    $parameters = $each.Parameters
    New-TransportRule -Name $each.Name @parameters -Comments $Mark -WhatIf:(-not $Apply)
}
