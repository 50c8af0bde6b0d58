foreach ($each in $Rules) {
    $found = @(Get-TransportRule | Where-Object { [string]::Equals($_.Name, $each.Name, 'OrdinalIgnoreCase') })
    if ($found.Count -and -not "$($found[0].Comments)".StartsWith($Mark)) {
        throw "A rule named $($each.Name) exists that no plan of Sidedoor made. Rename it first."
    }
    if ($found.Count -and "$($found[0].Comments)" -eq $each.Comment) {
        Write-Output "already there: $($each.Name) ($($found[0].State))"
        continue
    }
    if ($found.Count) {
        Write-Step "Remove-TransportRule $($each.Name), which an earlier plan made"
        Remove-TransportRule -Identity "$($found[0].Guid)" -Confirm:$false -WhatIf:(-not $Apply)
    }
    Write-Step "New-TransportRule $($each.Name)"
    $parameters = $each.Parameters
    if ($Apply -or -not $found.Count) {
        New-TransportRule -Name $each.Name @parameters -Comments $each.Comment -WhatIf:(-not $Apply)
    }
}
