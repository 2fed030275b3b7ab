using Provisioner.Appliance.Machine;
using Provisioner.Artifacts;
using Provisioner.Auth;
using Provisioner.Aws;
using Provisioner.Backup;
using Provisioner.Certificates;
using Provisioner.NetBox;
using Provisioner.Progress;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Traces;
using Provisioner.Webhooks;

namespace Provisioner.Appliance;

/// <summary>The keys of the configuration file, declared once.</summary>
internal static class ApplianceConfiguration
{
    /// <summary>sockaddr_un.sun_path is 108 bytes with its closing zero (unix(7)).</summary>
    public const int MaxSocketPath = 107;

    public static readonly Shape<ApplianceOptions> Shape = Declare();

    /// <summary>Its keys.</summary>
    public static IReadOnlyList<FieldDescription> Fields => Shape.Fields;

    /// <summary>Reads the file's text; every mistake at once.</summary>
    /// <exception cref="ChangeRefusedException">All mistakes, each with its line.</exception>
    public static ApplianceOptions Read(string text)
    {
        var reading = new Reading();
        var options = new ApplianceOptions();
        var documents = 0;
        YamlText.Read(text, reading, node =>
        {
            if (++documents == 2)
                reading.Add(node.Position, "", "a second document", null, "one document in a configuration file");
            else if (node is not TextNode.Scalar { IsNull: true } && Shape.TryRead(node, "", reading, out var read))
                options = read;
        });
        return reading.Mistakes.Count == 0 ? options
            : throw new ChangeRefusedException(RefusalKind.Invalid, [.. reading.Mistakes.Select(m => m with { Document = null })]);
    }

    private static Shape<ApplianceOptions> Declare()
    {
        var path = Values.OfText("a path", "an absolute path such as /var/lib/provisioner", text => Path.IsPathFullyQualified(text) ? null : "is not an absolute path");
        var socket = Values.OfText("a socket's path", $"an absolute path of at most {MaxSocketPath} bytes", SocketProblem);
        var shape = new Shape<ApplianceOptions>("the configuration", () => new ApplianceOptions());
        shape.Default("data", path, o => o.DataDirectory, (o, v) => o with { DataDirectory = v }, "Where database and images are kept.");
        shape.Optional("socket", socket, o => o.Socket, (o, v) => o with { Socket = v }, "The unix socket of the API.");
        shape.Default("http", Http(), o => o.Http, (o, v) => o with { Http = v }, "The boot plane over HTTP.");
        shape.Default("tftp", Tftp(), o => o.Tftp, (o, v) => o with { Tftp = v }, "The boot plane over TFTP.");
        shape.Default("dhcp", Dhcp(), o => o.Dhcp, (o, v) => o with { Dhcp = v }, "DHCP's ports; whether it answers is said by each Network.");
        shape.Default("syslog", Syslog(), o => o.Syslog, (o, v) => o with { Syslog = v }, "What installers say by syslog.");
        shape.Default("secure", CertificateFields.Secure, o => o.Secure, (o, v) => o with { Secure = v }, "The secure plane: HTTPS for hosts, people and programs.");
        shape.Default("ca", CertificateFields.Ca, o => o.Ca, (o, v) => o with { Ca = v }, "The authority that signs hosts' certificates.");
        shape.Default("access", AccessFields.Access, o => o.Access, (o, v) => o with { Access = v }, "How people and programs are let in.");
        shape.Default("aws", AwsFields.Aws, o => o.Aws, (o, v) => o with { Aws = v }, "AWS, and the appliance's own credentials there.");
        shape.Optional("loaders", new ListKind<string>(path), o => o.Loaders, (o, v) => o with { Loaders = v }, "Directories of boot loaders.");
        shape.Default("artifacts", ArtifactFields.Artifacts, o => o.Artifacts, (o, v) => o with { Artifacts = v }, "The artifact cache.");
        shape.Default("events", Events(), o => o.Events, (o, v) => o with { Events = v }, "The record of what happened.");
        shape.Default("machine", MachineFields.Machine, o => o.Machine, (o, v) => o with { Machine = v }, "What this machine itself is set to.");
        shape.Default("logs", Logs(), o => o.Logs, (o, v) => o with { Logs = v }, "What installers said.");
        shape.Default("traces", TraceFields.Traces, o => o.Traces, (o, v) => o with { Traces = v }, "Where the way of each host is told to.");
        shape.Default("webhooks", new ListKind<WebhookOptions>(WebhookFields.Webhook), o => o.Webhooks, (o, v) => o with { Webhooks = v }, "Others who are told what happens.");
        shape.Optional("netbox", NetBoxFields.NetBox, o => o.NetBox, (o, v) => o with { NetBox = v }, "A NetBox whose devices can be registered.");
        shape.Default("backup", BackupFields.Backup, o => o.Backup, (o, v) => o with { Backup = v }, "Backups on a schedule.");
        shape.Check((options, report) =>
        {
            foreach (var twice in options.Webhooks.GroupBy(h => h.Name).Where(g => g.Count() > 1))
                report("webhooks", "there are two of one name", twice.Key, "a name of its own for each");
            for (var i = 0; i < options.Loaders.Length; i++)
            {
                if (!Directory.Exists(options.Loaders[i]))
                    report($"loaders[{i}]", "there is no such directory", options.Loaders[i], "a directory that is there");
            }
            if (options.Dhcp.Port == options.Dhcp.ProxyPort && options.Dhcp.Port != 0)
                report("dhcp.proxyPort", "is the same as dhcp.port", $"{options.Dhcp.ProxyPort}", "a port of its own");
            if (options.Secure.Port == options.Http.Port && options.Http.Port != 0)
                report("secure.port", "is the same TCP port as http.port", $"{options.Secure.Port}", "a port of its own");
            foreach (var (key, port) in new[] { ("dhcp.port", options.Dhcp.Port), ("dhcp.proxyPort", options.Dhcp.ProxyPort), ("syslog.port", options.Syslog.Port) })
            {
                if (port == options.Tftp.Port && port != 0)
                    report(key, "is the same UDP port as tftp.port", $"{port}", "a port of its own");
            }
        });
        return shape;
    }

    /// <summary>Why the kernel would not take this as a socket's path, or null.</summary>
    public static string? SocketProblem(string path) =>
        !Path.IsPathFullyQualified(path) ? "is not an absolute path"
        : System.Text.Encoding.UTF8.GetByteCount(path) > MaxSocketPath ? $"is longer than {MaxSocketPath} bytes, the most a unix socket's path may have"
        : null;

    private static Shape<HttpSettings> Http()
    {
        var shape = new Shape<HttpSettings>("http", () => new HttpSettings());
        shape.Default("address", Address, h => h.Address, (h, v) => h with { Address = v }, "The address to listen at; 0.0.0.0 is all.");
        shape.Default("port", Port, h => h.Port, (h, v) => h with { Port = v }, "TCP port.");
        return shape;
    }

    private static Shape<TftpSettings> Tftp()
    {
        var shape = new Shape<TftpSettings>("tftp", () => new TftpSettings());
        shape.Default("address", Address, t => t.Address, (t, v) => t with { Address = v }, "The address to listen at; 0.0.0.0 is all.");
        shape.Default("port", Port, t => t.Port, (t, v) => t with { Port = v }, "UDP port.");
        shape.Default("maxBlockSize", Values.Integer(8, 65464), t => t.MaxBlockSize, (t, v) => t with { MaxBlockSize = v }, "The largest block agreed to, in bytes (RFC 2348).");
        shape.Default("maxWindowSize", Values.Integer(1, 65535), t => t.MaxWindowSize, (t, v) => t with { MaxWindowSize = v }, "The largest window agreed to, in blocks (RFC 7440).");
        shape.Default("maxSessions", Values.Integer(1, 65535), t => t.MaxSessions, (t, v) => t with { MaxSessions = v }, "Transfers at one time.");
        return shape;
    }

    private static Shape<SyslogOptions> Syslog()
    {
        var shape = new Shape<SyslogOptions>("syslog", () => new SyslogOptions());
        shape.Default("address", Address, s => s.Address, (s, v) => s with { Address = v }, "The address to listen at; 0.0.0.0 is all.");
        shape.Default("port", Port, s => s.Port, (s, v) => s with { Port = v }, "UDP port.");
        return shape;
    }

    private static Shape<DhcpPorts> Dhcp()
    {
        var shape = new Shape<DhcpPorts>("dhcp", () => new DhcpPorts());
        shape.Default("port", Port, d => d.Port, (d, v) => d with { Port = v }, "UDP port of DHCP.");
        shape.Default("proxyPort", Port, d => d.ProxyPort, (d, v) => d with { ProxyPort = v }, "UDP port of PXE boot servers.");
        return shape;
    }

    private static Shape<EventSettings> Events()
    {
        var shape = new Shape<EventSettings>("events", () => new EventSettings());
        shape.Default("retention", Values.Integer(1_000, 100_000_000), e => e.Retention, (e, v) => e with { Retention = v }, "How many events are kept; the oldest go first.");
        shape.Default("keepFor", Values.Days(1, 3650), e => e.KeepFor, (e, v) => e with { KeepFor = v }, "How long.");
        return shape;
    }

    private static Shape<LogSettings> Logs()
    {
        var shape = new Shape<LogSettings>("logs", () => new LogSettings());
        shape.Default("keepFor", Values.Days(1, 3650), l => l.KeepFor, (l, v) => l with { KeepFor = v }, "How long the log of an installer that failed is kept.");
        shape.Default("maximumSize", Values.Integer(1, 100_000), l => l.MaximumSize, (l, v) => l with { MaximumSize = v }, "How much of them, in MiB; the oldest go first.");
        return shape;
    }

    // 0.0.0.0 is right here, and nowhere else.
    internal static ScalarKind<Ipv4Address> Address => new("an IPv4 address", "an address of this machine such as 10.77.0.1, or 0.0.0.0 for all",
        (string text, out Ipv4Address value, out string? wrong) =>
        {
            wrong = null;
            return Ipv4Address.TryParse(text, out value);
        },
        value => value.ToString());

    internal static ScalarKind<int> Port => Values.Integer(0, 65535);
}
