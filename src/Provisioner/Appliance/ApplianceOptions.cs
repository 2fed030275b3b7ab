using Provisioner.Appliance.Bus;
using Provisioner.Appliance.Machine;
using Provisioner.Artifacts;
using Provisioner.Auth;
using Provisioner.Aws;
using Provisioner.Backup;
using Provisioner.Certificates;
using Provisioner.NetBox;
using Provisioner.Progress;
using Provisioner.Protocols;
using Provisioner.Storage;
using Provisioner.Traces;
using Provisioner.Webhooks;
using System.Collections.Immutable;

namespace Provisioner.Appliance;

/// <summary>How the service runs. Everything has a default, so that it starts with no configuration at all.</summary>
public sealed record ApplianceOptions
{
    /// <summary>Database, images and, unless <see cref="Socket"/> says otherwise, the API's socket.</summary>
    public string DataDirectory { get; init; } = Privileges.DefaultDataDirectory;

    /// <summary>The unix socket of the API; null for <c>provisioner.sock</c> in the data directory.</summary>
    public string? Socket { get; init; }

    public HttpSettings Http { get; init; } = new();

    public TftpSettings Tftp { get; init; } = new();

    public DhcpPorts Dhcp { get; init; } = new();

    /// <summary>What installers say by syslog.</summary>
    public SyslogOptions Syslog { get; init; } = new();

    /// <summary>The secure plane: certificates for hosts.</summary>
    public SecureOptions Secure { get; init; } = new();

    /// <summary>The authority that signs them.</summary>
    public CertificateOptions Ca { get; init; } = new();

    /// <summary>How people and programs are let in.</summary>
    public AccessOptions Access { get; init; } = new();

    /// <summary>AWS, and the appliance's own credentials there.</summary>
    public AwsOptions Aws { get; init; } = new();

    /// <summary>Directories of boot loaders, looked through before the distribution's own.</summary>
    public ImmutableArray<string> Loaders { get; init; } = [];

    /// <summary>The artifact cache: whom it may ask, and how much it keeps.</summary>
    public ArtifactOptions Artifacts { get; init; } = new();

    public EventSettings Events { get; init; } = new();

    /// <summary>What this machine is set to, by what its system offers for that.</summary>
    public MachineOptions Machine { get; init; } = new();

    /// <summary>The system's message bus.</summary>
    internal BusOptions Bus { get; init; } = new();

    /// <summary>What installers said.</summary>
    public LogSettings Logs { get; init; } = new();

    /// <summary>Where the way of each host is told to.</summary>
    public TraceOptions Traces { get; init; } = new();

    /// <summary>Others who are told what happens.</summary>
    public ImmutableArray<WebhookOptions> Webhooks { get; init; } = [];

    /// <summary>Null: there is none.</summary>
    public NetBoxOptions? NetBox { get; init; }

    /// <summary>Backups on a schedule.</summary>
    public BackupOptions Backup { get; init; } = new();

    /// <summary>The file all this was read from; null without one. It goes into backups.</summary>
    public string? ConfigurationFile { get; init; }

    public string SocketPath => Socket ?? SocketIn(DataDirectory);

    public static string SocketIn(string dataDirectory) => Path.Combine(Path.GetFullPath(dataDirectory), "provisioner.sock");
}

/// <summary>The boot plane over HTTP.</summary>
public sealed record HttpSettings
{
    public Ipv4Address Address { get; init; }

    public int Port { get; init; } = 8080;
}

/// <summary>The boot plane over TFTP.</summary>
public sealed record TftpSettings
{
    public Ipv4Address Address { get; init; }

    public int Port { get; init; } = Privileges.MayUseLowPorts ? 69 : 6969;

    public int MaxBlockSize { get; init; } = 1468;

    public int MaxWindowSize { get; init; } = 64;

    public int MaxSessions { get; init; } = 256;
}

/// <summary>DHCP's ports. Whether it says anything is decided by the Networks, not here.</summary>
public sealed record DhcpPorts
{
    public int Port { get; init; } = Privileges.MayUseLowPorts ? 67 : 6767;

    public int ProxyPort { get; init; } = Privileges.MayUseLowPorts ? 4011 : 64011;
}

public sealed record EventSettings
{
    /// <summary>How many events are kept; the oldest go first. A count, so that a flood of requests cannot fill the disk.</summary>
    public int Retention { get; init; } = new StoreLimits().Events;

    /// <summary>None is kept for longer.</summary>
    public TimeSpan KeepFor { get; init; } = TimeSpan.FromDays(365);
}

/// <summary>The logs of hosts' installers, as far as they are kept beyond a restart.</summary>
public sealed record LogSettings
{
    /// <summary>None is kept for longer.</summary>
    public TimeSpan KeepFor { get; init; } = TimeSpan.FromDays(90);

    /// <summary>In MiB, all together; the oldest go first.</summary>
    public int MaximumSize { get; init; } = 64;
}
