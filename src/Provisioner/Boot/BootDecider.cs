using Provisioner.Images;
using Provisioner.Networks;
using Provisioner.Profiles;
using Provisioner.Protocols;
using Provisioner.Storage;

namespace Provisioner.Boot;

/// <summary>
/// The one place that says what a machine boots. Pure: the same request, snapshot and time give the same answer, whoever asks:
/// DHCP on 67, PXE on 4011, TFTP, HTTP, the scripts and <c>provisioner explain</c>.
/// </summary>
public sealed class BootDecider(LoaderCatalogue loaders)
{
    /// <summary>What the machine is to do, before any protocol is asked.</summary>
    public static BootIntent Intend(MacAddress mac, Snapshot snapshot, DateTimeOffset now)
    {
        if (snapshot.FindHost(mac) is not { } host)
            return new BootIntent.AwaitAdoption($"{mac} is not registered: it waits to be adopted and boots its own disk");

        var installation = snapshot.Installations.GetValueOrDefault(host.Name);
        // The profile and image as they were when the Installation was opened, not as the host names them now.
        var profile = installation is null ? null : snapshot.Profiles.GetValueOrDefault(installation.Profile);
        var isBuilt = installation?.BuildsAt(now) == true;
        // Both: what it was built as, and what its answers would say today. A host with a disk is never sent to an image by a change of its profile.
        var hasNoDisk = host.RetiredAt is null && installation?.RunsAt(now) == true && profile?.Spec.Install is { Diskless: true };
        if (installation is null || !isBuilt && !hasNoDisk)
        {
            var present = host.Spec.Profile is { } profileName ? snapshot.Profiles.GetValueOrDefault(profileName) : null;
            var method = host.Spec.Boot?.Local ?? present?.Spec.Boot?.Local ?? LocalBoot.Exit;
            return new BootIntent.LocalDisk(host, method, $"{host.Name} has no open Installation: it boots its own disk ({Name(method)})");
        }

        if (profile is null)
            return new BootIntent.Blocked(host, $"profile {installation.Profile} of its Installation is gone");
        if (snapshot.Images.GetValueOrDefault(installation.Image) is not { } image)
            return new BootIntent.Blocked(host, $"image {installation.Image} of its Installation is gone");
        if (image.Spec.Architecture != host.Spec.Architecture)
            return new BootIntent.Blocked(host, $"image {image.Name} is for {Name(image.Spec.Architecture)}, the host is registered as {Name(host.Spec.Architecture)}");
        foreach (var path in image.Spec.Initrd.Prepend(image.Spec.Kernel))
        {
            if (image.File(path) is null)
                return new BootIntent.Blocked(host, $"image {image.Name} has no file {path}: import it with 'provisioner image import'");
        }
        return new BootIntent.Install(host, profile, image, installation, hasNoDisk
            ? $"{host.Name} has no disk: it boots {image.Name}, as it was provisioned on {installation.OpenedAt.UtcDateTime:yyyy-MM-dd}"
            : $"{host.Name} has an open Installation of {image.Name} until {installation.ClosesAt.UtcDateTime:HH:mm} UTC");
    }

    /// <summary>Answers one boot question. Never throws; what cannot be answered is <see cref="BootDecision.NoBootFile"/> with its reason.</summary>
    public BootDecision Decide(BootRequest request, Snapshot snapshot, DateTimeOffset now)
    {
        var intent = Intend(request.MacAddress, snapshot, now);
        return request.Step == BootStep.BootFile
            ? BootFileFor(request, intent, snapshot)
            : ScriptFor(request, intent);
    }

    private static BootDecision ScriptFor(BootRequest request, BootIntent intent) => intent switch
    {
        BootIntent.LocalDisk { Method: LocalBoot.Http404 } => new BootDecision.NoBootFile(intent.Reason),
        BootIntent.Install install when Mismatch(install.Host, request.Architecture) is { } mismatch =>
            new BootDecision.Script(new BootIntent.Blocked(install.Host, mismatch), mismatch),
        _ => new BootDecision.Script(intent, intent.Reason),
    };

    // The order matters: what runs already (iPXE) before what would be loaded, or stock iPXE inside a network card is handed
    // iPXE again and again (netboot#77, smee's Bootfile: "order matters").
    private BootDecision BootFileFor(BootRequest request, BootIntent intent, Snapshot snapshot)
    {
        if (request.Client == ClientKind.Plain)
            return new BootDecision.NoBootFile("it does not ask to boot (option 60 is neither PXEClient nor HTTPClient)");

        if (intent is BootIntent.LocalDisk { Method: LocalBoot.NoFile })
            return new BootDecision.NoBootFile(intent.Reason);

        if (request.Client is ClientKind.Ipxe or ClientKind.OwnIpxe)
        {
            return request.IpxeHasHttp
                ? new BootDecision.BootFile($"{request.Endpoint.HttpRoot}/boot.ipxe", $"{intent.Reason}; iPXE runs already, it gets the first script")
                : new BootDecision.BootFile("boot.ipxe", $"{intent.Reason}; iPXE runs already but has no HTTP, it gets the first script by TFTP");
        }

        if (request.Architecture is Architecture.Unknown or Architecture.X86 or Architecture.Arm32)
            return new BootDecision.NoBootFile($"{Name(request.Architecture)} firmware has no boot loader here: x86-64, arm64 and legacy BIOS do");

        var host = intent switch
        {
            BootIntent.Install i => i.Host,
            BootIntent.LocalDisk l => l.Host,
            BootIntent.Blocked b => b.Host,
            _ => null,
        };
        if (host is not null && Mismatch(host, request.Architecture) is { } mismatch)
            return new BootDecision.NoBootFile(mismatch);

        // Its ROM knows no script that could send it to its disk: what it is given, it boots.
        if (request.Architecture == Architecture.RaspberryPi && intent is BootIntent.LocalDisk)
            return new BootDecision.NoBootFile(intent.Reason);
        if (request.Architecture == Architecture.RaspberryPi)
            return new BootDecision.BootFile("bootcode.bin", $"{intent.Reason}; a Raspberry Pi's ROM asks for its firmware by serial number");

        var (profile, image) = PlanOf(host, intent, snapshot);
        if ((host?.Spec.Boot?.File ?? profile?.Spec.Boot?.File) is { } chosen)
            return Chosen(chosen, request, intent, image);
        return ByChain(profile?.Spec.BootChain ?? BootChain.Auto, request, intent, image);
    }

    private BootDecision Chosen(string file, BootRequest request, BootIntent intent, Image? image)
    {
        var inImage = image?.Status.Files.FirstOrDefault(f => FileName(f.Path) == file);
        var loader = loaders.Find(file);
        if (inImage is null && loader is null)
            return new BootDecision.NoBootFile($"the boot file {file} chosen for this host is neither in its image nor among the loaders");
        var machine = inImage is null ? loader!.Machine : inImage.Machine;
        return machine is { } m && Firmware(m) != request.Architecture
            ? new BootDecision.NoBootFile($"the boot file {file} chosen for this host is for {Name(m)}, its firmware is {Name(request.Architecture)}")
            : Load(file, request, $"{intent.Reason}; {file} is chosen for this host");
    }

    private BootDecision ByChain(BootChain chain, BootRequest request, BootIntent intent, Image? image)
    {
        var firmware = $"{Name(request.Architecture)} by {(request.Client == ClientKind.HttpClient ? "HTTP Boot" : "PXE")}";
        var fromImage = image?.Spec.BootLoaders;
        var ipxe = (fromImage?.Ipxe is { } i && request.Architecture != Architecture.Bios ? FileName(i) : null)
            ?? loaders.Ipxe(request.Architecture, request.Client)?.Name;
        var shim = fromImage?.Shim is { } s && request.Architecture != Architecture.Bios ? FileName(s) : null;

        if (chain == BootChain.Shim && request.Architecture == Architecture.Bios)
            return ipxe is null
                ? new BootDecision.NoBootFile("there is no iPXE for legacy BIOS among the loaders: install the distribution's ipxe package")
                : Load(ipxe, request, $"{intent.Reason}; legacy BIOS has no Secure Boot, {ipxe} takes the place of shim");

        if (chain != BootChain.Shim && ipxe is not null)
            return Load(ipxe, request, $"{intent.Reason}; {firmware} loads iPXE ({ipxe})");

        if (shim is null)
        {
            return new BootDecision.NoBootFile(chain == BootChain.Shim
                ? $"the profile asks for shim + GRUB, and {(image is null ? "the host has no image to take it from" : $"image {image.Name} brings no shim")}"
                : $"there is no iPXE for {Name(request.Architecture)} among the loaders{(image is null ? "" : $", and image {image.Name} brings no shim")}");
        }

        // GRUB reads the address server's answer alone and never learns of a proxy's (DRP kb-00043, rhbz#1809246).
        if (request.DhcpMode == DhcpMode.Proxy && request.Client == ClientKind.Pxe)
            return new BootDecision.NoBootFile($"{shim} would load GRUB, and GRUB ignores proxyDHCP: set this Network to dhcp: reserve, or use iPXE");

        return Load(shim, request, chain == BootChain.Shim
            ? $"{intent.Reason}; {firmware} loads shim + GRUB ({shim})"
            : $"{intent.Reason}; {firmware} loads shim + GRUB ({shim}), as there is no iPXE for it");
    }

    private static BootDecision.BootFile Load(string name, BootRequest request, string reason) =>
        new(request.Client == ClientKind.HttpClient
            ? $"{request.Endpoint.HttpRoot}/boot/{request.MacAddress.ToDashed()}/{Uri.EscapeDataString(name)}"
            : name, reason);

    private static (Profile? Profile, Image? Image) PlanOf(Host? host, BootIntent intent, Snapshot snapshot)
    {
        if (intent is BootIntent.Install install)
            return (install.Profile, install.Image);
        var profile = host?.Spec.Profile is { } name ? snapshot.Profiles.GetValueOrDefault(name) : null;
        return (profile, profile is null ? null : snapshot.Images.GetValueOrDefault(profile.Spec.Image));
    }

    private static string? Mismatch(Host host, Architecture asked)
    {
        var fits = host.Spec.Architecture switch
        {
            CpuArchitecture.X64 => asked is Architecture.X64 or Architecture.Bios or Architecture.Unknown,
            CpuArchitecture.Arm64 => asked is Architecture.Arm64 or Architecture.RaspberryPi or Architecture.Unknown,
            _ => false,
        };
        return fits ? null : $"{host.Name} is registered as {Name(host.Spec.Architecture)} and asks as {Name(asked)}: correct its architecture";
    }

    private static Architecture Firmware(CpuArchitecture machine) => machine switch
    {
        CpuArchitecture.X64 => Architecture.X64,
        CpuArchitecture.Arm64 => Architecture.Arm64,
        CpuArchitecture.X86 => Architecture.X86,
        _ => Architecture.Arm32,
    };

    private static string FileName(string path) => path[(path.LastIndexOf('/') + 1)..];

    /// <summary>As people say it.</summary>
    public static string Name(Architecture architecture) => architecture switch
    {
        Architecture.Bios => "legacy BIOS",
        Architecture.X86 => "UEFI x86 (32-bit)",
        Architecture.X64 => "UEFI x64",
        Architecture.Arm32 => "UEFI arm (32-bit)",
        Architecture.Arm64 => "UEFI arm64",
        Architecture.RaspberryPi => "Raspberry Pi",
        _ => "unknown",
    };

    /// <summary>As it is written in a resource.</summary>
    public static string Name(CpuArchitecture architecture) => architecture switch
    {
        CpuArchitecture.X64 => "x86_64",
        CpuArchitecture.Arm64 => "aarch64",
        CpuArchitecture.X86 => "x86",
        _ => "arm",
    };

    /// <summary>As it is written in a resource.</summary>
    public static string Name(LocalBoot method) => method switch
    {
        LocalBoot.Exit => "exit",
        LocalBoot.Http404 => "http-404",
        LocalBoot.Sanboot => "sanboot",
        _ => "no-file",
    };
}
