namespace Provisioner.Lab.Harness;

/// <summary>
/// A small site: a LAN, the appliance on it, an image imported (Debian's network installer when no other is named), and a profile for it.
/// Everything in it is made with the appliance's own command line, as a person would.
/// </summary>
internal sealed class Site : IAsyncDisposable
{
    /// <summary>
    /// A network boot in software emulation on a busy machine of two cores: five times what an idle one takes. arm64 takes three times as long as
    /// x86-64, as soon as more than its firmware and a kernel runs.
    /// </summary>
    public TimeSpan BootLimit => TimeSpan.FromMinutes(Firmware == Firmware.UefiArm64 ? 12 : 4);

    /// <summary>What a Linux kernel says when it has its initial RAM disk and starts the first program of it.</summary>
    public const string KernelStarted = "Run /init as init process";

    private readonly List<IAsyncDisposable> servers = [];

    private Site(LabNetwork network, ServiceProcess service, Firmware firmware)
    {
        Network = network;
        Service = service;
        Firmware = firmware;
    }

    public LabNetwork Network { get; }

    public ServiceProcess Service { get; private set; }

    /// <summary>What its servers start with.</summary>
    public Firmware Firmware { get; }

    /// <summary>How its servers get the image's files: GRUB has nothing but TFTP.</summary>
    public string ImageSource => Firmware is Firmware.UefiArm64 or Firmware.SecureBoot ? "tftp" : "http";

    /// <summary>The processor of its servers, as resources spell it.</summary>
    public string Architecture => Firmware == Firmware.UefiArm64 ? "aarch64" : "x86_64";

    /// <summary>Makes the LAN, starts the appliance, imports the image, applies a profile, and a Network described by these lines of its spec.</summary>
    /// <param name="firmware">What its servers start with.</param>
    /// <param name="networkSpec">Lines of the Network's spec besides the subnet, indented by two.</param>
    /// <param name="progress">Hears of each step.</param>
    /// <param name="image">What its servers boot; Debian's network installer when not given.</param>
    public static async Task<Site> CreateAsync(Firmware firmware, string networkSpec, Action<string>? progress = null, SiteImage? image = null)
    {
        var network = await LabNetwork.CreateAsync();
        try
        {
            progress?.Invoke($"a LAN of its own: namespace {network.Appliance.Name}, {LabNetwork.Bridge} with {LabNetwork.Address}/24");
            return await CreateAsync(network, firmware, networkSpec, progress: progress, image: image);
        }
        catch
        {
            await network.DisposeAsync();
            throw;
        }
    }

    /// <summary>As above, on a LAN that is there already and goes with the site.</summary>
    public static async Task<Site> CreateAsync(
        LabNetwork network, Firmware firmware, string networkSpec, string subnet = LabNetwork.Subnet, Action<string>? progress = null, SiteImage? image = null, ServiceSettings? settings = null)
    {
        image ??= SiteImage.Installer(firmware);
        var service = await ServiceProcess.StartAsync(network, settings: settings);
        progress?.Invoke($"provisioner serve --data {service.Data}");
        var site = new Site(network, service, firmware);
        try
        {
            foreach (var line in await image.ImportAsync(service, network.Directory))
                progress?.Invoke(line);
            await service.ApplyAsync(SiteResources.Network(networkSpec, subnet) + SiteResources.Profile(firmware, image.Name));
            progress?.Invoke($"Network lab and Profile worker applied: {string.Join(", ", networkSpec.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))}");
            return site;
        }
        catch
        {
            await service.DisposeAsync();
            throw;
        }
    }

    /// <summary>Stops the service and starts it again on its data, its clock so far ahead of this machine's, with these settings.</summary>
    public async Task RestartServiceAsync(TimeSpan clockAhead = default, ServiceSettings? settings = null)
    {
        await Service.StopAsync();
        await Service.DisposeAsync();
        Service = await ServiceProcess.StartAsync(Network, Service.Data, clockAhead, settings);
    }

    /// <summary>Registers a host with that MAC address.</summary>
    public Task RegisterAsync(string name, string macAddress, string extra = "", string profile = "worker") =>
        Service.ApplyAsync(SiteResources.Host(name, macAddress, Architecture, extra, profile));

    /// <summary>A virtual server on the site's LAN, off.</summary>
    public VirtualServer AddServer(string macAddress, string? disk = null)
    {
        var server = VirtualServer.On(Network, Firmware, macAddress, disk);
        servers.Add(server);
        return server;
    }

    /// <summary>A virtual server elsewhere than on the site's LAN, off.</summary>
    public VirtualServer AddServer(NetworkNamespace on, string bridge, string macAddress)
    {
        var server = new VirtualServer(on, bridge, Firmware, macAddress, Network.Directory);
        servers.Add(server);
        return server;
    }

    /// <summary>A virtual server on the site's LAN that boots the diskless image, off.</summary>
    /// <param name="macAddress">Of its one network card.</param>
    /// <param name="credentials">Secrets of its own, by the names systemd gives them under <c>/run/credentials/@system</c>.</param>
    /// <param name="disk">A raw disk image it has all the same.</param>
    public async Task<DisklessServer> AddDisklessServerAsync(string macAddress, IReadOnlyDictionary<string, string>? credentials = null, string? disk = null)
    {
        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        var label = macAddress.Replace(":", "", StringComparison.Ordinal);
        foreach (var (name, secret) in credentials ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            var file = files[name] = Path.Combine(Network.Directory, $"{label}-{name}.credential");
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite };
            await using var writer = new StreamWriter(file, options);
            await writer.WriteAsync(secret);
        }
        var server = new DisklessServer(this, new VirtualServer(Network.Appliance, LabNetwork.Bridge, Firmware, macAddress, Network.Directory)
        {
            Credentials = files,
            Disk = disk,
            ShellSocket = Path.Combine(Network.Directory, label + ".shell"),
        });
        servers.Add(server);
        return server;
    }

    /// <summary>
    /// Waits for a text on the server's console. When it does not come, the message tells what the appliance recorded and logged, besides
    /// the console.
    /// </summary>
    public async Task<string> WaitForAsync(VirtualServer server, params string[] texts)
    {
        try
        {
            return await server.WaitForAsync(BootLimit, texts);
        }
        catch (LabException e)
        {
            var events = await Service.EventsAsync(server.MacAddress);
            throw new LabException($"{e.Message}\n\nThe appliance recorded of {server.MacAddress}:\n{Timeline.Describe(events)}\nand logged last:\n{Service.LogTail(20)}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var server in servers)
            await server.DisposeAsync();
        await Service.DisposeAsync();
        await Network.DisposeAsync();
    }
}
