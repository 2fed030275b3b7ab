using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Provisioner.Storage;
using Provisioner.Tests.Certificates.Keys;

namespace Provisioner.Tests.Appliance;

/// <summary>The built program on a disk that fails it: it says what is wrong, loses nothing it acknowledged, goes on answering boots, and recovers where it can.</summary>
public sealed class FaultTests : IDisposable
{
    private const string Unshare = "/usr/bin/unshare";

    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "provisioner.dll");
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private readonly TemporaryDirectory directory = new();
    private readonly List<Process> started = [];

    public FaultTests()
    {
        Directory.CreateDirectory(directory["data"]);
        File.WriteAllText(directory["c.yaml"], $$"""
            data: {{directory["data"]}}
            socket: {{directory["s.sock"]}}
            http: { address: 127.0.0.1, port: 0 }
            tftp: { address: 127.0.0.1, port: 0 }
            dhcp: { port: 0, proxyPort: 0 }
            secure: { address: 127.0.0.1, port: 0 }
            syslog: { address: 127.0.0.1, port: 0 }
            artifacts: { builtIn: false }
            """);
        File.WriteAllText(directory["passphrase"], "a long passphrase\n");
        File.SetUnixFileMode(directory["passphrase"], UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    public void Dispose()
    {
        foreach (var process in started)
        {
            if (!process.HasExited)
            {
                Signal("CONT", process);
                process.Kill();
                process.WaitForExit();
            }
            process.Dispose();
        }
        directory.Dispose();
    }

    [Fact]
    public async Task On_a_full_disk_boots_are_answered_changes_refused_with_that_reason_and_it_recovers()
    {
        SkipWithoutMounts();
        var service = await StartAsync($"mount -t tmpfs -o size=12m,mode=0750 tmpfs '{directory["data"]}'");
        var ballast = $"/proc/{service.Id}/root{directory["data"]}/ballast";
        var acknowledged = new List<string>();
        async Task<CommandOutcome> RegisterAsync(int number)
        {
            var outcome = await RunAsync(HostOf(number), "apply", "-f", "-");
            if (outcome.ExitCode == 0)
                acknowledged.Add($"web-{number}");
            return outcome;
        }

        (await RegisterAsync(0)).Succeeded();
        var boot = await BootAsync();
        Assert.Equal(200, boot.Status);
        Fill(ballast);
        var refused = await RegisterAsync(1);
        for (var i = 2; refused.ExitCode == 0 && i < 60; i++)
            refused = await RegisterAsync(i);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("The appliance's disk is full, so nothing can be changed; booting and answering go on", refused.Error, StringComparison.Ordinal);
        Assert.Equal(507, await StatusOfAsync(HostOf(500)));
        // The same answer as before, and what is known is shown.
        Assert.Equal(boot, await BootAsync());
        Assert.Equal(acknowledged.Order(), await HostsAsync());
        var doctor = await RunAsync("", "doctor");
        Assert.Equal(1, doctor.ExitCode);
        Assert.Contains("disk-space", doctor.Output, StringComparison.Ordinal);

        File.Delete(ballast);
        var watch = Stopwatch.StartNew();
        while ((await RegisterAsync(900)).ExitCode != 0)
        {
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(30), "it does not recover");
            await Task.Delay(200);
        }
        // What was acknowledged is on the disk: a backup is read from there.
        (await RunAsync("", "backup", directory["b.age"], "--passphrase-file", directory["passphrase"])).Succeeded();
        (await RunAsync("", "restore", directory["b.age"], "--data", directory["elsewhere"], "--passphrase-file", directory["passphrase"])).Succeeded();
        using var store = LiteDbStore.Open(directory["elsewhere"]);
        Assert.Equal(acknowledged.Order(StringComparer.Ordinal), store.LoadSnapshot().Hosts.Keys);
    }

    /// <summary>ext4 that has met an error: what happens when a disk dies in service.</summary>
    [Fact]
    public async Task On_a_disk_that_became_read_only_boots_are_answered_and_changes_refused_with_that_reason()
    {
        SkipWithoutMounts();
        Tool.SkipWithout("/sbin/mkfs.ext4", "/dev/loop-control");
        using (var image = File.Create(directory["disk.img"]))
            image.SetLength(32 << 20);
        Tool.Run("/sbin/mkfs.ext4", "-q", "-F", directory["disk.img"]);
        var service = await StartAsync($"mount -o loop '{directory["disk.img"]}' '{directory["data"]}'");
        (await RunAsync(HostOf(0), "apply", "-f", "-")).Succeeded();
        var boot = await BootAsync();
        Tool.Run("nsenter", "-t", $"{service.Id}", "-m", "mount", "-o", "remount,abort", directory["data"]);

        Assert.Equal(1, (await RunAsync(HostOf(1), "apply", "-f", "-")).ExitCode);
        await Task.Delay(1100); // Until the store looks at the disk again.
        var refused = await RunAsync(HostOf(2), "apply", "-f", "-");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("disk is mounted read-only, so nothing can be changed; booting and answering go on", refused.Error, StringComparison.Ordinal);
        Assert.Equal(boot, await BootAsync());
        Assert.Equal(["web-0"], await HostsAsync());
        var doctor = await RunAsync("", "doctor");
        Assert.Equal(1, doctor.ExitCode);
        Assert.Contains("disk-writable", doctor.Output, StringComparison.Ordinal);
        Signal("KILL", service);
        await service.WaitForExitAsync();
        // After a repair of the disk, as after a power failure, what was acknowledged is there.
        var (code, said) = Tool.Try("/sbin/e2fsck", null, "-y", directory["disk.img"]);
        Assert.True(code is 0 or 1, said);
        await StartAsync($"mount -o loop '{directory["disk.img"]}' '{directory["data"]}'");
        Assert.Equal(["web-0"], await HostsAsync());
        (await RunAsync(HostOf(3), "apply", "-f", "-")).Succeeded();
    }

    [Fact]
    public async Task It_does_not_start_on_a_disk_mounted_read_only_and_says_so()
    {
        SkipWithoutMounts();
        var service = Start($"mount -t tmpfs -o ro tmpfs '{directory["data"]}'");
        using var patience = new CancellationTokenSource(Patience);
        var error = await service.StandardError.ReadToEndAsync(patience.Token);
        await service.WaitForExitAsync(patience.Token);
        Assert.Equal(1, service.ExitCode);
        Assert.Contains("cannot be written: Read-only file system", Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_cut_short_is_refused_at_the_start_and_a_backup_brings_it_back()
    {
        var service = await StartAsync(null);
        for (var i = 0; i < 5; i++)
            (await RunAsync(HostOf(i), "apply", "-f", "-")).Succeeded();
        (await RunAsync("", "backup", directory["b.age"], "--passphrase-file", directory["passphrase"])).Succeeded();
        Signal("TERM", service);
        await service.WaitForExitAsync();
        using (var database = File.OpenHandle(directory["data/provisioner.db"], FileMode.Open, FileAccess.ReadWrite))
            RandomAccess.SetLength(database, RandomAccess.GetLength(database) / 2 / 8192 * 8192);

        var refused = Start(null);
        var error = await refused.StandardError.ReadToEndAsync();
        await refused.WaitForExitAsync();
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("is cut short", error, StringComparison.Ordinal);
        Assert.Contains($"'provisioner restore FILE --data {directory["data"]} --replace'", error, StringComparison.Ordinal);
        var doctor = await RunAsync("", "doctor", "--data", directory["data"]);
        Assert.Equal(1, doctor.ExitCode);
        Assert.Contains("The service does not answer", doctor.Output, StringComparison.Ordinal);
        Assert.Contains("is cut short", string.Join(' ', doctor.Output.Split((char[])['\n', ' '], StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);

        (await RunAsync("", "restore", directory["b.age"], "--data", directory["data"], "--replace", "--passphrase-file", directory["passphrase"])).Succeeded();
        await StartAsync(null);
        Assert.Equal(["web-0", "web-1", "web-2", "web-3", "web-4"], await HostsAsync());
    }

    /// <summary>Stopped for a while, as a virtual machine that is moved: who asked meanwhile is answered afterwards, and nothing is lost or done twice.</summary>
    [Fact]
    public async Task Stopped_and_continued_it_answers_what_was_asked_meanwhile()
    {
        var service = await StartAsync(null);
        (await RunAsync(HostOf(0), "apply", "-f", "-")).Succeeded();
        var boot = await BootAsync();
        var port = await PortAsync();
        Signal("STOP", service);
        var asked = Enumerable.Range(1, 8).Select(i => RunAsync(HostOf(i), "apply", "-f", "-")).ToList();
        var booting = Task.Run(() => BootAsync(port));
        await Task.Delay(3000);
        Assert.DoesNotContain(asked, a => a.IsCompleted);
        Signal("CONT", service);
        Assert.All(await Task.WhenAll(asked), outcome => outcome.Succeeded());
        Assert.Equal(boot, await booting);
        Assert.Equal(Enumerable.Range(0, 9).Select(i => $"web-{i}"), await HostsAsync());
        Assert.Equal(0, (await RunAsync("", "status")).ExitCode);
    }

    /// <summary>Killed in the middle of changes: each one that was acknowledged is there after the next start.</summary>
    [Fact]
    public async Task Killed_while_changes_are_made_it_keeps_every_acknowledged_one()
    {
        var service = await StartAsync(null);
        var acknowledged = new List<string>();
        using var http = Api();
        var writing = Task.Run(async () =>
        {
            try
            {
                for (var i = 0; ; i++)
                {
                    using var response = await http.PostAsync("apply", new StringContent(HostOf(i), Encoding.UTF8, "application/yaml"));
                    if (response.IsSuccessStatusCode)
                    {
                        lock (acknowledged)
                            acknowledged.Add($"web-{i}");
                    }
                }
            }
            catch (HttpRequestException)
            {
                // It was killed.
            }
        });
        while (true)
        {
            lock (acknowledged)
            {
                if (acknowledged.Count >= 40)
                    break;
            }
            await Task.Delay(10);
        }
        Signal("KILL", service);
        await service.WaitForExitAsync();
        await writing;
        await StartAsync(null);
        var there = await HostsAsync();
        Assert.Empty(acknowledged.Except(there, StringComparer.Ordinal));
        Assert.InRange(there.Count - acknowledged.Count, 0, 1);
    }

    private static string HostOf(int number) => $$"""
        apiVersion: provisioner/v1
        kind: Host
        metadata: { name: web-{{number}} }
        spec: { macAddresses: ["52-54-00-00-{{number / 256:x2}}-{{number % 256:x2}}"], architecture: x86_64 }
        """;

    private static void SkipWithoutMounts() =>
        Assert.SkipUnless(Environment.IsPrivilegedProcess && File.Exists(Unshare), "needs root, to mount a small file system in a namespace of its own");

    private static void Fill(string path)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
        foreach (var size in new[] { 1 << 20, 4096 })
        {
            try
            {
                while (true)
                    file.Write(new byte[size]);
            }
            catch (IOException)
            {
                // No room for a piece of that size.
            }
        }
    }

    private async Task<Process> StartAsync(string? mount)
    {
        var service = Start(mount);
        using var patience = new CancellationTokenSource(Patience);
        var said = new StringBuilder();
        while (await service.StandardOutput.ReadLineAsync(patience.Token) is { } line)
        {
            said.AppendLine(line);
            if (!line.Contains("is ready after", StringComparison.Ordinal))
                continue;
            // What it says from now on is read and not kept: a full pipe would stop it.
            _ = service.StandardOutput.ReadToEndAsync(CancellationToken.None);
            _ = service.StandardError.ReadToEndAsync(CancellationToken.None);
            return service;
        }
        Assert.Fail($"It ended: {said}{await service.StandardError.ReadToEndAsync(patience.Token)}");
        return service;
    }

    private Process Start(string? mount)
    {
        string[] serve = ["dotnet", Program, "serve", "--config", directory["c.yaml"], "--allow-unsynchronised-clock"];
        var start = mount is null ? new ProcessStartInfo(serve[0], serve[1..]) : new ProcessStartInfo(Unshare, ["-m", "sh", "-c", $"{mount} && exec \"$@\"", "sh", .. serve]);
        (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
        foreach (var variable in new[] { "PROVISIONER_SOCKET", "JOURNAL_STREAM", "NOTIFY_SOCKET", "STATE_DIRECTORY" })
            start.Environment.Remove(variable);
        var service = Process.Start(start)!;
        started.Add(service);
        return service;
    }

    private static void Signal(string name, Process process)
    {
        using var kill = Process.Start("kill", [$"-{name}", $"{process.Id}"]);
        kill.WaitForExit();
    }

    /// <summary>A command, in this process: it talks to the service over its socket.</summary>
    private Task<CommandOutcome> RunAsync(string input, params string[] args) => CommandOutcome.OfAsync(input, [.. args, "--socket", directory["s.sock"]]);

    private HttpClient Api() => new(new SocketsHttpHandler
    {
        ConnectCallback = async (_, cancellation) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(directory["s.sock"]), cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        },
    })
    {
        BaseAddress = new Uri("http://provisioner/api/v1/"),
    };

    private async Task<int> StatusOfAsync(string yaml)
    {
        using var http = Api();
        using var response = await http.PostAsync("apply", new StringContent(yaml, Encoding.UTF8, "application/yaml"));
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        return (int)response.StatusCode;
    }

    private async Task<IReadOnlyList<string>> HostsAsync() =>
        [.. JsonNode.Parse((await RunAsync("", "get", "hosts", "-o", "json")).Succeeded())!["items"]!.AsArray().Select(h => h!["metadata"]!["name"]!.GetValue<string>()).Order(StringComparer.Ordinal)];

    private async Task<int> PortAsync()
    {
        var status = JsonNode.Parse((await RunAsync("", "status", "-o", "json")).Succeeded())!;
        return IPEndPoint.Parse(status["planes"]!.AsArray().First(p => p!["plane"]!.GetValue<string>() == "http")!["at"]!.GetValue<string>().Split('/')[0]).Port;
    }

    /// <summary>What firmware gets first.</summary>
    private async Task<(int Status, string Script)> BootAsync(int? port = null)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(30) };
        using var response = await http.GetAsync($"http://127.0.0.1:{port ?? await PortAsync()}/boot.ipxe");
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
    }
}
