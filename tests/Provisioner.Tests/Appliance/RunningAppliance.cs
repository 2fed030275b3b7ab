using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Provisioner.Appliance;
using Provisioner.Appliance.Bus;
using Provisioner.Appliance.Machine;
using Provisioner.Artifacts;
using Provisioner.Auth;
using Provisioner.Aws;
using Provisioner.Boot.Http;
using Provisioner.Certificates;
using Provisioner.Certificates.Est;
using Provisioner.Cli;
using Provisioner.Events;
using Provisioner.Progress;
using Provisioner.Storage;
using Provisioner.Tests.Certificates;

namespace Provisioner.Tests.Appliance;

/// <summary>The whole service in this process, on a real unix socket and free ports, with its data in a directory of its own.</summary>
internal sealed class RunningAppliance : IAsyncDisposable
{
    private readonly TemporaryDirectory? ownDirectory;
    private readonly WebApplication app;
    private bool disposed;

    private RunningAppliance(WebApplication app, TemporaryDirectory? ownDirectory)
    {
        this.app = app;
        this.ownDirectory = ownDirectory;
        Http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(SocketPath), cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            },
        })
        {
            BaseAddress = new Uri("http://provisioner/api/v1/"),
        };
    }

    public HttpClient Http { get; }

    public IServiceProvider Services => app.Services;

    public Snapshot Snapshot => Services.GetRequiredService<CurrentState>().Snapshot;

    public StateWriter Writer => Services.GetRequiredService<StateWriter>();

    public DateTimeOffset Now => Services.GetRequiredService<TimeProvider>().GetUtcNow();

    public EventLog EventLog => Services.GetRequiredService<EventLog>();

    public string SocketPath => Services.GetRequiredService<ApplianceOptions>().SocketPath;

    public string DataDirectory => Services.GetRequiredService<ApplianceOptions>().DataDirectory;

    public int BootPort => Services.GetRequiredService<BootHttpService>().Port;

    public int SecurePort => Services.GetRequiredService<SecureServer>().Port;

    /// <param name="ca">How its authority is made; a passphrase of its own in the data directory when not said.</param>
    /// <param name="time">The service's clock.</param>
    /// <param name="clock">Whether it says that it is synchronised; it does when not said otherwise.</param>
    /// <param name="more">What stands in for the world outside.</param>
    /// <param name="backup">None is scheduled when not said.</param>
    public static async Task<RunningAppliance> StartAsync(TemporaryDirectory? directory = null, CertificateOptions? ca = null, TimeProvider? time = null, IClock? clock = null, ArtifactOptions? artifacts = null,
        AwsOptions? aws = null, AccessOptions? access = null, Action<IServiceCollection>? more = null, BusOptions? bus = null, MachineOptions? machine = null, Provisioner.Backup.BackupOptions? backup = null, Provisioner.Webhooks.WebhookOptions? webhook = null, int securePort = 0)
    {
        var own = directory is null ? new TemporaryDirectory() : null;
        var built = ApplianceHost.Build(new ApplianceOptions
        {
            DataDirectory = (directory ?? own)!.Path,
            Http = new HttpSettings { Address = Protocols.Ipv4Address.Parse("127.0.0.1"), Port = 0 },
            Tftp = new TftpSettings { Address = Protocols.Ipv4Address.Parse("127.0.0.1"), Port = 0 },
            Dhcp = new DhcpPorts { Port = 0, ProxyPort = 0 },
            Syslog = new SyslogOptions { Address = Protocols.Ipv4Address.Parse("127.0.0.1"), Port = 0 },
            Secure = new SecureOptions { Address = Protocols.Ipv4Address.Parse("127.0.0.1"), Port = securePort },
            Ca = ca ?? new CertificateOptions(),
            // No test asks the internet.
            Artifacts = artifacts ?? new ArtifactOptions { BuiltIn = false },
            Aws = aws ?? new AwsOptions(),
            // Hundreds of appliances start in these tests: none of them has a say in how this machine runs.
            Bus = bus ?? new BusOptions { Address = "unix:path=/nonexistent" },
            Machine = machine ?? new MachineOptions(),
            Backup = backup ?? new Provisioner.Backup.BackupOptions(),
            Access = access ?? new AccessOptions(),
            Webhooks = webhook is null ? [] : [webhook],
        }, logging => logging.ClearProviders(), services =>
        {
            services.AddSingleton(clock ?? new StandingClock());
            // Hundreds of appliances start in these tests, and no key of theirs is a secret.
            services.AddSingleton(_ => new AuthorityKeys((ca ?? new CertificateOptions()).Keys, (directory ?? own)!.Path, rounds: 1_000));
            services.AddSingleton(new PasswordCost(MemoryKiB: 64, Passes: 1));
            if (time is not null)
                services.AddSingleton(time);
            more?.Invoke(services);
        });
        try
        {
            await built.StartAsync();
        }
        catch
        {
            // As a process that ends gives its directory back.
            await built.DisposeAsync();
            own?.Dispose();
            throw;
        }
        return new RunningAppliance(built, own);
    }

    /// <summary>Runs a command line against it, in this process.</summary>
    public Task<CommandOutcome> RunAsync(params string[] args) => CommandOutcome.OfAsync("", [.. args, "--socket", SocketPath]);

    public async Task<JsonObject> GetAsync(string path)
    {
        using var response = await Http.GetAsync(path);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonNode.Parse(text)!.AsObject();
    }

    public async Task<(int Status, JsonObject Body)> SendAsync(HttpMethod method, string path, HttpContent? content = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        using var response = await Http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return ((int)response.StatusCode, JsonNode.Parse(text)!.AsObject());
    }

    public Task<(int Status, JsonObject Body)> ApplyAsync(string yaml, string query = "") =>
        SendAsync(HttpMethod.Post, "apply" + query, new StringContent(yaml, Encoding.UTF8, "application/yaml"));

    public async ValueTask DisposeAsync()
    {
        // A test may stop it before its fixture does.
        if (disposed)
            return;
        disposed = true;
        Http.Dispose();
        await app.StopAsync();
        await app.DisposeAsync();
        ownDirectory?.Dispose();
    }
}

/// <summary>What a command said and how it ended.</summary>
internal sealed record CommandOutcome(int ExitCode, string Output, string Error)
{
    public static async Task<CommandOutcome> OfAsync(string input, string[] args, string? cacheDirectory = null, CancellationToken cancellation = default)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var code = await CommandLine.RunAsync(args, new Screen { Output = output, Error = error, Input = new StringReader(input), CacheDirectory = cacheDirectory }, cancellation);
        return new CommandOutcome(code, output.ToString(), error.ToString());
    }

    /// <summary>The output of a command that has to succeed.</summary>
    public string Succeeded()
    {
        Assert.True(ExitCode == 0, $"exit code {ExitCode}: {Error}{Output}");
        return Output;
    }
}

/// <summary>Documents for tests.</summary>
internal static class Site
{
    public const string Profile = """
        apiVersion: provisioner/v1
        kind: Profile
        metadata: { name: worker }
        spec: { image: debian-12 }
        """;

    public const string Host = """
        apiVersion: provisioner/v1
        kind: Host
        metadata: { name: web-1 }
        spec: { macAddresses: ["52-54-00-12-34-56"], architecture: x86_64, profile: worker }
        """;

    public const string Network = """
        apiVersion: provisioner/v1
        kind: Network
        metadata: { name: lab }
        spec: { subnet: 10.77.0.0/24, interface: lab0, advertise: 10.77.0.1 }
        """;
}
