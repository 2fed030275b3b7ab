using System.CommandLine;
using Provisioner.Appliance;

namespace Provisioner.Cli;

/// <summary><c>provisioner serve</c>.</summary>
internal static class ServeCommand
{
    public static Command Create(Screen screen, Option<string?> socket)
    {
        var config = new Option<string?>("--config") { Description = "The configuration file. Everything in it has a default.", HelpName = "FILE" };
        var data = new Option<string?>("--data") { Description = $"Where database and images are kept; {Privileges.DefaultDataDirectory} unless said otherwise.", HelpName = "DIR" };
        var clock = new Option<bool>("--allow-unsynchronised-clock") { Description = "Issue certificates though no NTP client says that the clock is right: for laboratories." };
        var command = new TeachingCommand("serve", "Start the service. DHCP stays silent until a Network asks for it.",
            "provisioner serve",
            "provisioner serve --data /srv/provisioner",
            "provisioner serve --config /etc/provisioner/provisioner.yaml",
            "",
            "The configuration file, with the defaults of a service started as root:",
            "  data: /var/lib/provisioner",
            "  socket: /var/lib/provisioner/provisioner.sock",
            "  http: { address: 0.0.0.0, port: 8080 }",
            "  tftp: { address: 0.0.0.0, port: 69, maxBlockSize: 1468, maxWindowSize: 64, maxSessions: 256 }",
            "  dhcp: { port: 67, proxyPort: 4011 }",
            "  syslog: { address: 0.0.0.0, port: 514 }",
            "  secure: { address: 0.0.0.0, port: 8443, names: [] }   # names: what hosts call this machine, besides its own name",
            "  ca: { algorithm: p256, certificateLifetime: 90d }      # passphraseFile, pkcs11: docs/certificates.md",
            "  loaders: []            # directories with iPXE, searched before the distribution's",
            "  events: { retention: 200000, keepFor: 365d }   # how many are kept, and how long",
            "  logs: { keepFor: 90d, maximumSize: 64 }        # of installers that failed, in MiB",
            "  backup: { every: 1d, keep: 14, keepFor: 90d }  # recipients, passphraseFile, s3: docs/operations.md",
            "  machine: { announce: true }     # hostName, timeZone, timeServers: docs/installing.md")
        {
            config, data, clock,
        };
        command.SetAction((parsed, cancellation) => Serve.RunAsync(
            parsed.GetValue(config), parsed.GetValue(data), SocketPath.Said(parsed.GetValue(socket)), parsed.GetValue(clock), screen.Error, cancellation));
        return command;
    }
}
