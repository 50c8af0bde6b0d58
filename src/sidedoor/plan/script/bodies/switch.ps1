if ((Get-OrganizationConfig).RejectDirectSend) {
    Write-Output 'already so: RejectDirectSend is on'
} else {
    Write-Step 'Set-OrganizationConfig -RejectDirectSend $true'
    Set-OrganizationConfig -RejectDirectSend $true -WhatIf:(-not $Apply)
    if ($Apply) { Write-Output 'It takes up to 30 minutes to be in force everywhere. Then run the next script.' }
}
