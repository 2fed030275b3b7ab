using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Provisioner.Tests.Appliance;

/// <summary>The built program as people and systemd start it.</summary>
public sealed class ServeTests : IDisposable
{
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "provisioner.dll");
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly TemporaryDirectory directory = new();

    public ServeTests() => Configure();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task Says_what_it_listens_on_and_stops_cleanly_on_SIGTERM()
    {
        using var service = Start();
        var said = await ReadUntilReadyAsync(service);
        Assert.Contains("tftp    127.0.0.1:", said, StringComparison.Ordinal);
        Assert.Contains("is not listened on (off: there is no Network yet", said, StringComparison.Ordinal);
        var asked = await RunAsync("status", "--socket", directory["data/provisioner.sock"]);
        Assert.Equal(0, asked.ExitCode);
        var watch = Stopwatch.StartNew();
        Assert.Equal(0, await TerminateAsync(service));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"took {watch.Elapsed}");
        Assert.Equal("", await service.StandardError.ReadToEndAsync());
        Assert.False(File.Exists(directory["data/provisioner.sock"]));
    }

    [Fact]
    public async Task Stops_at_once_while_somebody_follows_events()
    {
        using var service = Start();
        await ReadUntilReadyAsync(service);
        using var follower = Start("events", "--follow", "--socket", directory["data/provisioner.sock"]);
        // It follows when it tells of something that was changed meanwhile.
        using var patience = new CancellationTokenSource(Patience);
        var told = follower.StandardOutput.ReadLineAsync(patience.Token).AsTask();
        for (var i = 0; !told.IsCompleted; i++)
        {
            await File.WriteAllTextAsync(directory["host.yaml"], $$"""
                apiVersion: provisioner/v1
                kind: Host
                metadata: { name: web-1, labels: { change: "{{i}}" } }
                spec: { macAddresses: ["52:54:00:00:00:01"], architecture: x86_64 }
                """, patience.Token);
            using var apply = Start("apply", "-f", directory["host.yaml"], "--socket", directory["data/provisioner.sock"]);
            await apply.WaitForExitAsync(patience.Token);
            Assert.Equal(0, apply.ExitCode);
        }
        Assert.NotNull(await told);
        var watch = Stopwatch.StartNew();
        Assert.Equal(0, await TerminateAsync(service));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"took {watch.Elapsed}");
        await follower.WaitForExitAsync(patience.Token);
        Assert.Equal(0, follower.ExitCode);
    }

    [Fact]
    public async Task A_second_process_on_the_same_data_is_refused_in_one_line()
    {
        using var first = Start();
        await ReadUntilReadyAsync(first);
        var second = await RunAsync("serve", "--config", directory["c.yaml"]);
        Assert.Equal(1, second.ExitCode);
        Assert.Contains("in use by another process", OneLine(second), StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync("status", "--socket", directory["data/provisioner.sock"])).ExitCode);
        await TerminateAsync(first);
    }

    [Fact]
    public async Task A_port_in_use_is_refused_in_one_line_that_names_the_key()
    {
        using var tcp = new TcpListener(IPAddress.Loopback, 0);
        tcp.Start();
        Configure(http: ((IPEndPoint)tcp.LocalEndpoint).Port);
        Assert.Contains("http.port", OneLine(await RunAsync("serve", "--config", directory["c.yaml"])), StringComparison.Ordinal);
        using var udp = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        Configure(tftp: ((IPEndPoint)udp.Client.LocalEndPoint!).Port);
        Assert.Contains("tftp.port", OneLine(await RunAsync("serve", "--config", directory["c.yaml"])), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_bad_configuration_is_refused_with_one_line_a_mistake()
    {
        File.WriteAllText(directory["c.yaml"], "http: { port: 99999 }\ncolour: red\n");
        var refused = await RunAsync("serve", "--config", directory["c.yaml"]);
        Assert.Equal(1, refused.ExitCode);
        var lines = refused.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, lines.Length);
        Assert.Contains("c.yaml: line 1, column 15: http.port: ", lines[0], StringComparison.Ordinal);
        Assert.Contains("c.yaml: line 2, column 1: colour: ", lines[1], StringComparison.Ordinal);
        Assert.Contains("cannot be read", OneLine(await RunAsync("serve", "--config", directory["nope.yaml"])), StringComparison.Ordinal);
        File.WriteAllText(directory["file"], "");
        Assert.Contains("Name another with --data DIR", OneLine(await RunAsync("serve", "--data", directory["file"])), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stale_socket_is_replaced_and_a_live_one_is_not()
    {
        Directory.CreateDirectory(directory["data"]);
        // Closing removes the name, so the leftover of a killed service is made by moving a bound one.
        using (var bound = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            bound.Bind(new UnixDomainSocketEndPoint(directory["data/bound"]));
            File.Move(directory["data/bound"], directory["data/provisioner.sock"]);
        }
        using (var service = Start())
        {
            await ReadUntilReadyAsync(service);
            Assert.Equal(0, (await RunAsync("status", "--socket", directory["data/provisioner.sock"])).ExitCode);
            await TerminateAsync(service);
        }
        using var live = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        live.Bind(new UnixDomainSocketEndPoint(directory["data/provisioner.sock"]));
        live.Listen();
        Assert.Contains("Another program answers on the socket", OneLine(await RunAsync("serve", "--config", directory["c.yaml"])), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tells_systemd_when_it_is_ready_and_when_it_stops()
    {
        using var notify = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        notify.Bind(new UnixDomainSocketEndPoint(directory["notify"]));
        var start = StartInfo("dotnet", Program, "serve", "--config", directory["c.yaml"]);
        start.Environment["NOTIFY_SOCKET"] = directory["notify"];
        using var service = Process.Start(start)!;
        using var patience = new CancellationTokenSource(Patience);
        Assert.Contains("READY=1", await ReceiveAsync(notify, patience.Token), StringComparison.Ordinal);
        await TerminateAsync(service);
        Assert.Contains("STOPPING=1", await ReceiveAsync(notify, patience.Token), StringComparison.Ordinal);
    }

    /// <summary>What <c>systemctl reload</c> does: the unit says so, and the service goes on with what stands in the directory now.</summary>
    [Fact]
    public async Task Reads_this_site_s_templates_again_on_SIGHUP()
    {
        var unit = File.ReadAllLines(Path.Combine(Repository.Root, "appliance", "provisioner.service"));
        Assert.Contains("ExecReload=/bin/kill -HUP $MAINPID", unit);
        Assert.InRange(Array.IndexOf(unit, "ExecReload=/bin/kill -HUP $MAINPID"), Array.IndexOf(unit, "[Service]"), Array.IndexOf(unit, "[Install]"));

        var template = directory["data/templates/cloud-init/meta-data.hbs"];
        Directory.CreateDirectory(Path.GetDirectoryName(template)!);
        File.WriteAllText(template, "instance-id: {{yaml instance}}\nlocal-hostname: {{hostname}}\n");
        // However these tests were started: by nohup, too, which has the signal ignored.
        using var service = Process.Start(StartInfo("env", "--default-signal=HUP", "dotnet", Program, "serve", "--config", directory["c.yaml"]))!;
        Assert.Contains("cloud-init/meta-data.hbs:2: '{{hostname}}' passes no quoting helper", await ReadUntilReadyAsync(service), StringComparison.Ordinal);
        File.WriteAllText(template, "instance-id: {{yaml instance}}\nlocal-hostname: {{yaml hostname}}\n");
        using (var kill = Process.Start("kill", ["-HUP", $"{service.Id}"]))
            await kill.WaitForExitAsync();
        await ReadUntilAsync(service, "in place of the built-in templates: cloud-init/meta-data");
        Assert.Equal(0, (await RunAsync("status", "--socket", directory["data/provisioner.sock"])).ExitCode);
        Assert.Equal(0, await TerminateAsync(service));
    }

    [Fact]
    public async Task Without_arguments_it_teaches_and_with_wrong_ones_it_ends_with_2()
    {
        var taught = await RunAsync();
        Assert.Equal(0, taught.ExitCode);
        Assert.Contains("The three things to do first", taught.Output, StringComparison.Ordinal);
        Assert.Equal(2, (await RunAsync("srve")).ExitCode);
    }

    private static async Task<string> ReceiveAsync(Socket socket, CancellationToken cancellation)
    {
        var buffer = new byte[256];
        return Encoding.UTF8.GetString(buffer, 0, await socket.ReceiveAsync(buffer, SocketFlags.None, cancellation));
    }

    private static string OneLine(CommandOutcome outcome)
    {
        Assert.Equal(1, outcome.ExitCode);
        return Assert.Single(outcome.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    private void Configure(int http = 0, int tftp = 0) => File.WriteAllText(directory["c.yaml"], $$"""
        data: {{directory["data"]}}
        http: { address: 127.0.0.1, port: {{http}} }
        tftp: { address: 127.0.0.1, port: {{tftp}} }
        dhcp: { port: 0, proxyPort: 0 }
        secure: { address: 127.0.0.1, port: 0 }
        syslog: { address: 127.0.0.1, port: 0 }
        """);

    private Process Start(params string[] args) =>
        Process.Start(StartInfo("dotnet", [Program, .. args.Length == 0 ? ["serve", "--config", directory["c.yaml"]] : args]))!;

    private static ProcessStartInfo StartInfo(string file, params string[] args)
    {
        var start = new ProcessStartInfo(file, args) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var variable in new[] { "PROVISIONER_SOCKET", "JOURNAL_STREAM", "NOTIFY_SOCKET", "STATE_DIRECTORY" })
            start.Environment.Remove(variable);
        return start;
    }

    private static Task<string> ReadUntilReadyAsync(Process service) => ReadUntilAsync(service, "is ready after");

    private static async Task<string> ReadUntilAsync(Process service, string wanted)
    {
        using var patience = new CancellationTokenSource(Patience);
        var said = new StringBuilder();
        while (await service.StandardOutput.ReadLineAsync(patience.Token) is { } line)
        {
            said.AppendLine(line);
            if (line.Contains(wanted, StringComparison.Ordinal))
                return said.ToString();
        }
        Assert.Fail($"It ended: {said}{await service.StandardError.ReadToEndAsync(patience.Token)}");
        return "";
    }

    private static async Task<int> TerminateAsync(Process service)
    {
        using (var kill = Process.Start("kill", ["-TERM", $"{service.Id}"]))
            await kill.WaitForExitAsync();
        using var patience = new CancellationTokenSource(Patience);
        await service.WaitForExitAsync(patience.Token);
        return service.ExitCode;
    }

    private static async Task<CommandOutcome> RunAsync(params string[] args)
    {
        using var process = Process.Start(StartInfo("dotnet", [Program, .. args]))!;
        using var patience = new CancellationTokenSource(Patience);
        var output = process.StandardOutput.ReadToEndAsync(patience.Token);
        var error = process.StandardError.ReadToEndAsync(patience.Token);
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw;
        }
        return new CommandOutcome(process.ExitCode, await output, await error);
    }
}
