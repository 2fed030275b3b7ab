using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace Provisioner.Lab.Harness;

/// <summary>
/// A virtual bare-metal server on a bridge: real firmware, one network card, a serial console, and a disk when it is given one. It boots
/// from the network first and then from its disk, as a rack server is set up.
/// </summary>
/// <remarks>
/// In software emulation: under KVM the firmware images of Debian 12 fail on some machines, and the boots must pass where there is none.
/// </remarks>
internal sealed partial class VirtualServer(NetworkNamespace on, string bridge, Firmware firmware, string macAddress, string directory) : IAsyncDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    private readonly string name = $"{firmware}-{macAddress.Replace(":", "", StringComparison.Ordinal)}";
    private readonly Stopwatch sincePowerOn = new();
    private string? tap;
    private string? variables;
    private LabProcess? machine;
    private string log = "";
    private int starts;

    public Firmware Firmware => firmware;

    public string MacAddress => macAddress;

    /// <summary>A raw disk image it has as its only disk.</summary>
    public string? Disk { get; init; }

    /// <summary>It starts from its disk and never from the network, as what is installed does.</summary>
    public bool StartsFromDisk { get; init; }

    public int MemoryMegabytes { get; init; } = 1024;

    public int Processors { get; init; } = 1;

    /// <summary>
    /// Files whose content systemd finds at its start as credentials of the whole system, by the name they get
    /// (<c>/run/credentials/@system/NAME</c>): a secret given so is in nobody's command line.
    /// </summary>
    public IReadOnlyDictionary<string, string> Credentials { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The unix socket of a second serial line, which <see cref="GuestShell"/> runs commands by; null when it has none.</summary>
    public string? ShellSocket { get; init; }

    /// <summary>Since the last <see cref="PowerOnAsync"/>.</summary>
    public TimeSpan SincePowerOn => sincePowerOn.Elapsed;

    /// <summary>Whether it is running.</summary>
    public bool IsOn => machine is { HasExited: false };

    /// <summary>The file with what it wrote to its serial port since it was powered on.</summary>
    public string SerialLog => log;

    /// <summary>A virtual server on the network's own bridge.</summary>
    public static VirtualServer On(LabNetwork network, Firmware firmware, string macAddress, string? disk = null) =>
        new(network.Appliance, LabNetwork.Bridge, firmware, macAddress, network.Directory) { Disk = disk };

    /// <summary>Presses the power button. What the firmware stored in its variables is still there, as on a real machine.</summary>
    public async Task PowerOnAsync()
    {
        if (IsOn)
            throw new InvalidOperationException($"{name} is on.");
        tap ??= await on.AddTapAsync(bridge);
        if (variables is null && FirmwareFiles.Variables(firmware) is { } factory)
        {
            variables = Path.Combine(directory, name + ".vars");
            File.Copy(factory, variables, overwrite: true);
        }
        log = Path.Combine(directory, $"{name}-serial-{++starts}.log");
        machine = on.Start(FirmwareFiles.Emulator(firmware), Arguments());
        sincePowerOn.Restart();
    }

    /// <summary>Pulls the plug.</summary>
    public async Task PowerOffAsync()
    {
        if (machine is null)
            return;
        await machine.DisposeAsync();
        machine = null;
    }

    /// <summary>Ends it between two of its instructions (SIGKILL): what it had not written to its disk yet is lost.</summary>
    public async Task KillAsync()
    {
        if (machine is null)
            return;
        machine.Kill();
        await machine.WaitForExitAsync(TimeSpan.FromSeconds(15));
        await PowerOffAsync();
    }

    /// <summary>What it wrote to its serial port so far, without the escape sequences of a terminal.</summary>
    public string Serial()
    {
        if (!File.Exists(log))
            return "";
        using var stream = new FileStream(log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream, Encoding.Latin1);
        return EscapeSequence().Replace(reader.ReadToEnd(), "").Replace("\r", "", StringComparison.Ordinal);
    }

    /// <summary>The last lines on its serial port, for a message.</summary>
    public string SerialTail(int count = 40) =>
        string.Join('\n', Serial().Split('\n').Where(line => line.Trim().Length > 0).TakeLast(count));

    /// <summary>Waits until one of the texts was written to its serial port, and tells which.</summary>
    /// <exception cref="LabException">It switched itself off, or the limit passed, first; the message holds the last lines of the console.</exception>
    public Task<string> WaitForAsync(TimeSpan limit, params string[] texts) => WaitForAsync(limit, CancellationToken.None, texts);

    /// <summary>As above, until cancelled.</summary>
    public async Task<string> WaitForAsync(TimeSpan limit, CancellationToken cancellation, params string[] texts)
    {
        var wanted = string.Join("' or '", texts);
        while (true)
        {
            // In this order: what it wrote before it ended counts.
            var off = !IsOn;
            var serial = Serial();
            if (texts.FirstOrDefault(text => serial.Contains(text, StringComparison.Ordinal)) is { } found)
                return found;
            if (off)
                throw new LabException($"{name} switched itself off after {SincePowerOn.TotalSeconds:F1} s, before '{wanted}':\n{SerialTail()}\n{machine?.Tail()}");
            // UEFI's own menu comes when an entry of the boot order ended with success, or none is left. Nobody is there to press a key.
            if (serial.Contains("starting Boot0000 \"UiApp\"", StringComparison.Ordinal))
                throw new LabException($"{name} stopped at the firmware's menu after {SincePowerOn.TotalSeconds:F1} s, before '{wanted}'. Its console before that:\n{SerialTail()}");
            if (SincePowerOn > limit)
                throw new LabException($"{name} did not say '{wanted}' within {limit.TotalSeconds:F0} s of power-on. Its console ends:\n{SerialTail()}");
            await Task.Delay(Look, cancellation);
        }
    }

    public async ValueTask DisposeAsync() => await PowerOffAsync();

    private IEnumerable<string> Arguments() =>
    [
        "-name", name,
        .. MachineType(),
        "-m", $"{MemoryMegabytes}", "-smp", $"{Processors}",
        "-smbios", $"type=1,manufacturer=QEMU,product=Virtual Server,serial=LAB-{macAddress.Replace(":", "", StringComparison.Ordinal)},uuid=7e5700d0-0000-4000-8000-{macAddress.Replace(":", "", StringComparison.Ordinal)}",
        .. FirmwareFiles.Code(firmware) is { } code
            ? ["-drive", $"if=pflash,format=raw,unit=0,readonly=on,file={code}", "-drive", $"if=pflash,format=raw,unit=1,file={variables}"]
            : Array.Empty<string>(),
        "-display", "none", "-monitor", "none", "-serial", $"file:{log}", "-no-reboot",
        "-netdev", $"tap,id=n0,ifname={tap},script=no,downscript=no",
        "-device", $"virtio-net-pci,netdev=n0,mac={macAddress}{(StartsFromDisk ? "" : ",bootindex=1")}{NetworkRom()}",
        "-device", "virtio-rng-pci",
        .. Disk is { } disk
            ? ["-drive", $"if=none,id=d0,format=raw,file={disk}", "-device", "virtio-blk-pci,drive=d0,bootindex=2"]
            : Array.Empty<string>(),
        .. Credentials.SelectMany(credential => new[] { "-fw_cfg", $"name=opt/io.systemd.credentials/{credential.Key},file={credential.Value}" }),
        .. ShellSocket is { } socket
            ?
            [
                "-chardev", $"socket,id=c0,path={socket},server=on,wait=off",
                "-device", "virtio-serial-pci", "-device", $"virtserialport,chardev=c0,name={GuestShell.Port}",
            ]
            : Array.Empty<string>(),
    ];

    private string[] MachineType() => firmware switch
    {
        Firmware.UefiX64 => ["-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", .. Without("IPv6PXESupport")],
        // Without these OVMF tries PXE over IPv4 and IPv6 for more than two minutes before its HTTP Boot entries.
        Firmware.HttpBoot =>
        [
            "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", .. Without("IPv4PXESupport"), .. Without("IPv6PXESupport"),
        ],
        // Secure Boot needs System Management Mode, and variables that only it can write.
        Firmware.SecureBoot =>
        [
            "-M", "q35,smm=on", "-accel", "tcg,thread=multi", "-cpu", "max",
            "-global", "driver=cfi.pflash01,property=secure,value=on", .. Without("IPv6PXESupport"),
        ],
        // The default pointer authentication is computed in full, and slow to emulate.
        Firmware.UefiArm64 => ["-M", "virt", "-accel", "tcg,thread=multi", "-cpu", "max,pauth-impdef=on"],
        Firmware.Bios => ["-M", "pc", "-accel", "tcg"],
        _ => throw new ArgumentOutOfRangeException(nameof(firmware), firmware, null),
    };

    /// <summary>Switches an item of OVMF's network stack off, as in a server's setup.</summary>
    private static string[] Without(string support) => ["-fw_cfg", $"name=opt/org.tianocore/{support},string=n"];

    // UEFI has a PXE stack of its own, which the emulator's iPXE ROM would stand in for. On BIOS that ROM is the PXE stack.
    private string NetworkRom() => firmware == Firmware.Bios ? "" : ",romfile=";

    [GeneratedRegex("\\x1b(\\[[0-9;?=]*[A-Za-z]|[()][A-Z0-9]|[=>78cDM])", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex EscapeSequence();
}
