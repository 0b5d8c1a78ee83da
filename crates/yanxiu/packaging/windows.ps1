# Yanxiu as a Windows service, in an administrator's PowerShell. yanxiu.exe is a console program and does not speak to the
# service manager itself; WinSW (https://github.com/winsw/winsw, MIT) does that for it: put WinSW-x64.exe beside
# yanxiu.exe. Not tried on Windows yet: the recipe follows WinSW's documentation.
#
#   .\windows.ps1 -Program C:\yanxiu\yanxiu.exe -Data C:\ProgramData\yanxiu
param(
    [Parameter(Mandatory = $true)][string]$Program,
    [string]$Data = "$env:ProgramData\yanxiu",
    [string]$Wrapper = (Join-Path (Split-Path $Program) 'WinSW-x64.exe')
)
$ErrorActionPreference = 'Stop'
foreach ($file in $Program, $Wrapper) {
    if (-not (Test-Path $file)) { throw "没有 / missing: $file" }
}
if (-not (Test-Path (Join-Path $Data 'device.key'))) {
    throw "先运行 / first run: & '$Program' --data '$Data' init --county 县名   (学校 / school: --name 设备名)"
}
# Records and key are for the service and the administrators alone.
icacls $Data /inheritance:r /grant:r '*S-1-5-32-544:(OI)(CI)F' '*S-1-5-18:(OI)(CI)F' '*S-1-5-19:(OI)(CI)M' | Out-Null

$folder = Split-Path $Program
$service = Join-Path $folder 'yanxiu-service.exe'
Copy-Item $Wrapper $service -Force
@"
<service>
  <id>yanxiu</id>
  <name>研修 Yanxiu</name>
  <description>Teachers' training records that work offline and sync by themselves</description>
  <executable>$Program</executable>
  <arguments>--data "$Data" --log-format json serve</arguments>
  <env name="YANXIU_LOG" value="info"/>
  <serviceaccount><username>NT AUTHORITY\LocalService</username></serviceaccount>
  <onfailure action="restart" delay="5 sec"/>
  <stoptimeout>30 sec</stoptimeout>
  <logpath>$Data\log</logpath>
  <log mode="roll-by-size"><sizeThreshold>10240</sizeThreshold><keepFiles>8</keepFiles></log>
</service>
"@ | Set-Content -Encoding UTF8 (Join-Path $folder 'yanxiu-service.xml')
New-Item -ItemType Directory -Force "$Data\log" | Out-Null
# UDP, and TCP where a network lets no UDP through.
foreach ($protocol in 'UDP', 'TCP') {
    New-NetFirewallRule -DisplayName "Yanxiu $protocol" -Direction Inbound -Action Allow -Protocol $protocol `
        -Program $Program -LocalPort 4433 -ErrorAction SilentlyContinue | Out-Null
}
& $service install
& $service start
& $service status
