<#
.SYNOPSIS
Collects what `sidedoor audit` reads: the tenant's settings, message traces, and details of the messages that decide most.
.DESCRIPTION
Reads only. Needs the module ExchangeOnlineManagement 3.7 or newer and the role "View-Only Recipients" with "View-Only
Configuration" (both in the role group "View-Only Organization Management").
Safe to run again: windows that are complete are passed over, a window that was cut off begins anew, and details go on
where they stopped. Works in Windows PowerShell 5.1 and PowerShell 7.
Limits of the service that are kept: 10 days and 5,000 rows a query, 100 queries in five minutes.
.EXAMPLE
Connect-ExchangeOnline; ./collector.ps1 -Folder export
#>
[CmdletBinding()]
param(
    [string] $Folder = 'export',
    [string] $Since = @SINCE@,
    [string] $Until = @UNTIL@,
    [int] $Details = @DETAILS@
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$culture = [Globalization.CultureInfo]::InvariantCulture
$utf8 = New-Object Text.UTF8Encoding($false)

function ConvertTo-Moment([string] $Text) {
    [DateTime]::Parse($Text, $culture, [Globalization.DateTimeStyles]'AssumeUniversal, AdjustToUniversal')
}

# Seven digits and a Z: Export-Csv would write the time in the culture of this machine, and 11/3/2026 is two days.
function Format-Moment([DateTime] $Moment) {
    [DateTime]::SpecifyKind($Moment, 'Utc').ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff'Z'", $culture)
}

# Whole or not at all: a file that was cut off would be read as complete.
function Save-Text([string] $Path, [string] $Text) {
    $new = "$Path.new"
    [IO.File]::WriteAllText($new, $Text, $utf8)
    Move-Item -LiteralPath $new -Destination $Path -Force
}

$script:sent = New-Object 'Collections.Generic.Queue[DateTime]'

# At most 95 queries within any five minutes, so that a person can look at the portal meanwhile.
function Wait-Turn {
    while ($script:sent.Count -gt 0 -and ([DateTime]::UtcNow - $script:sent.Peek()).TotalSeconds -ge 305) {
        [void] $script:sent.Dequeue()
    }
    if ($script:sent.Count -ge 95) {
        $left = 305 - ([DateTime]::UtcNow - $script:sent.Peek()).TotalSeconds
        Write-Host ("  limit of the service: waiting {0:N0} s" -f $left)
        Start-Sleep -Seconds ([Math]::Max(1, [Math]::Ceiling($left)))
        [void] $script:sent.Dequeue()
    }
    $script:sent.Enqueue([DateTime]::UtcNow)
}

# Runs one query; what may pass is tried again, longer and longer apart.
function Invoke-Patiently([scriptblock] $Action) {
    for ($attempt = 1; ; $attempt++) {
        Wait-Turn
        try { return , @(& $Action) }
        catch {
            if ($attempt -ge 8) { throw }
            $wait = [Math]::Min(300, 5 * [Math]::Pow(2, $attempt))
            if ("$_" -match 'surpassed the permitted limit|throttl|429') { $wait = 300 }
            Write-Warning ("{0}; again in {1:N0} s" -f "$_".Trim(), $wait)
            Start-Sleep -Seconds $wait
        }
    }
}

foreach ($name in 'Get-OrganizationConfig', 'Get-MessageTraceV2', 'Get-MessageTraceDetailV2') {
    if (-not (Get-Command $name -ErrorAction SilentlyContinue)) {
        throw "$name is not there: run Connect-ExchangeOnline first (module ExchangeOnlineManagement 3.7 or newer)"
    }
}
$Folder = (New-Item -ItemType Directory -Force -Path $Folder).FullName

# --- Settings. An empty set says of what it is, because ConvertTo-Json writes nothing at all for it.
foreach ($noun in 'OrganizationConfig', 'AcceptedDomain', 'InboundConnector', 'TransportRule',
    'HostedConnectionFilterPolicy') {
    try {
        $query = @{}
        if ($noun -eq 'TransportRule') { $query.ResultSize = 'Unlimited' }
        $rows = @(& "Get-$noun" @query)
        $set = [ordered] @{ cmdlet = "Get-$noun"; value = $rows }
        Save-Text (Join-Path $Folder "$noun.json") (ConvertTo-Json -InputObject $set -Depth 6)
        Write-Host "Get-${noun}: $($rows.Count)"
    }
    catch { Write-Warning "Get-${noun} is missing: $_" }
}

# --- Message traces, the oldest window first: what is 90 days old today is gone tomorrow.
$columns = 'MessageTraceId', 'MessageId', 'Received', 'SenderAddress', 'RecipientAddress', 'FromIP', 'ToIP', 'Status', 'Size'
$now = [DateTime]::UtcNow
$end = if ($Until) { ConvertTo-Moment $Until } else { $now.Date }
$start = if ($Since) { ConvertTo-Moment $Since } else { $now.Date.AddDays(-89) }
if ($start -lt $now.AddDays(-90).AddHours(1)) { $start = $now.AddDays(-90).AddHours(1) }
$least = [Math]::Ceiling(($end - $start).TotalDays / 10)
Write-Host ("traces: {0} windows; 1,000,000 messages take about {1} min; details of {2} messages about {3} min" -f
    $least, [Math]::Floor((200 + $least) / 95) * 5, $Details, [Math]::Floor($Details / 95) * 5)

function Get-Cell($Row, [string] $Name) {
    if ($Name -eq 'Received') { return Format-Moment $Row.Received }
    $value = $Row.$Name
    if ($null -eq $value) { '' } else { [Convert]::ToString($value, $culture) }
}

function Save-Window([DateTime] $From, [DateTime] $To, [string] $Path) {
    $seen = New-Object 'Collections.Generic.HashSet[string]'
    $writer = New-Object IO.StreamWriter("$Path.new", $false, $utf8)
    try {
        $writer.WriteLine(($columns | ForEach-Object { '"' + $_ + '"' }) -join ',')
        $query = @{ StartDate = $From; EndDate = $To; ResultSize = 5000 }
        do {
            # The only sign of a cut answer is a warning, so warnings are taken in with the rows.
            $answer = Invoke-Patiently { Get-MessageTraceV2 @query -WarningAction Continue 3>&1 }
            $warnings = @($answer | Where-Object { $_ -is [Management.Automation.WarningRecord] })
            $rows = @($answer | Where-Object { $_ -isnot [Management.Automation.WarningRecord] })
            $fresh = 0
            foreach ($row in $rows) {
                # A row at the end of a window is the next one's; a row at the end of a page comes twice.
                if ($row.Received -lt $From -or $row.Received -ge $To) { continue }
                $line = ($columns | ForEach-Object { '"' + (Get-Cell $row $_).Replace('"', '""') + '"' }) -join ','
                if ($seen.Add($line)) { $writer.WriteLine($line); $fresh++ }
            }
            $goesOn = $rows.Count -ge 5000 -or "$warnings" -match 'more results'
            if ($goesOn -and $fresh -eq 0) {
                Write-Warning "$Path is incomplete: before $(Format-Moment $query.EndDate) the service gives the same again"
                break
            }
            if ($rows.Count) {
                # Both of them: one alone goes round for ever.
                $query.EndDate = $rows[-1].Received
                $query.StartingRecipientAddress = $rows[-1].RecipientAddress
            }
            Write-Host ("  {0:N0} rows" -f $seen.Count)
        } while ($goesOn)
    }
    finally { $writer.Dispose() }
    Move-Item -LiteralPath "$Path.new" -Destination $Path -Force
}

$windows = @()
for ($from = $start; $from -lt $end; $from = $to) {
    $to = $from.AddDays(9.9)
    if ($to -gt $end) { $to = $end }
    $path = Join-Path $Folder ("MessageTraceV2-{0:yyyyMMdd'T'HHmmss}.csv" -f $from)
    $windows += $path
    if (Test-Path -LiteralPath $path) { Write-Host "$path is there already"; continue }
    Write-Host "$(Format-Moment $from) to $(Format-Moment $to)"
    Save-Window $from $to $path
}

# --- Details: one message of each sender and address in a domain of ours, the busiest first, then a second, and so on.
if ($Details -gt 0) {
    $own = New-Object 'Collections.Generic.HashSet[string]'([StringComparer]::OrdinalIgnoreCase)
    foreach ($domain in @(Get-AcceptedDomain)) { [void] $own.Add([string] $domain.DomainName) }
    $flows = @{}
    foreach ($path in $windows) {
        Import-Csv -LiteralPath $path | Where-Object { $_.FromIP -and $own.Contains(($_.SenderAddress -split '@')[-1]) } |
            ForEach-Object {
                $key = "$($_.FromIP) $($_.SenderAddress)".ToLowerInvariant()
                if (-not $flows.ContainsKey($key)) {
                    $flows[$key] = [pscustomobject] @{ Rows = 0; Samples = New-Object Collections.ArrayList }
                }
                $flow = $flows[$key]
                $flow.Rows++
                # The first, second, fourth, eighth ... row.
                if (($flow.Rows -band ($flow.Rows - 1)) -eq 0 -and $flow.Samples.Count -lt 12) {
                    [void] $flow.Samples.Add(@($_.MessageTraceId, $_.RecipientAddress, $_.Received))
                }
            }
    }
    $heaviest = @($flows.Values | Sort-Object Rows -Descending)
    $parts = (New-Item -ItemType Directory -Force -Path (Join-Path $Folder '.collect')).FullName
    $done = Join-Path $parts 'details.txt'
    $lines = Join-Path $parts 'details.jsonl'
    $asked = New-Object 'Collections.Generic.HashSet[string]'([StringComparer]::OrdinalIgnoreCase)
    if (Test-Path -LiteralPath $done) { foreach ($id in Get-Content -LiteralPath $done) { [void] $asked.Add($id) } }
    for ($round = 0; $round -lt 12; $round++) {
        foreach ($flow in $heaviest) {
            if ($asked.Count -ge $Details) { break }
            if ($round -ge $flow.Samples.Count -or $asked.Contains($flow.Samples[$round][0])) { continue }
            $id, $recipient, $received = $flow.Samples[$round]
            $moment = ConvertTo-Moment $received
            # Without dates only the last 48 hours are looked at, and an older message gives nothing, without an error.
            $query = @{ MessageTraceId = $id; RecipientAddress = $recipient
                StartDate = $moment.AddHours(-1); EndDate = $moment.AddDays(2) }
            if ($query.EndDate -gt [DateTime]::UtcNow) { $query.EndDate = [DateTime]::UtcNow }
            $events = Invoke-Patiently { Get-MessageTraceDetailV2 @query -WarningAction SilentlyContinue }
            $text = New-Object Text.StringBuilder
            foreach ($item in $events) {
                $record = [ordered] @{
                    MessageTraceId = "$($item.MessageTraceId)"; MessageId = "$($item.MessageId)"
                    Date = Format-Moment $item.Date; Event = "$($item.Event)"; Action = "$($item.Action)"
                    Detail = "$($item.Detail)"; Data = "$($item.Data)"
                }
                [void] $text.AppendLine((ConvertTo-Json -InputObject $record -Compress))
            }
            [IO.File]::AppendAllText($lines, $text.ToString(), $utf8)
            [IO.File]::AppendAllText($done, "$id`n", $utf8)
            [void] $asked.Add($id)
            if ($asked.Count % 25 -eq 0) { Write-Host "  details of $($asked.Count) messages" }
        }
    }
    # An event that a cut wrote twice counts once.
    if (Test-Path -LiteralPath $lines) {
        $unique = @(Get-Content -LiteralPath $lines -Encoding UTF8 | Where-Object { $_.EndsWith('}') } | Select-Object -Unique)
        Save-Text (Join-Path $Folder 'MessageTraceDetailV2.json') ("[`n" + ($unique -join ",`n") + "`n]`n")
    }
}
Write-Host "Done. Now: sidedoor audit $Folder"
