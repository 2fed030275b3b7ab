using System.Diagnostics;
using System.Text;
using Provisioner.Benchmarks.Http;
using Provisioner.Installing;
using Provisioner.Templates;

namespace Provisioner.Benchmarks.Seeds;

/// <summary>What it takes to write a host's answers, and ten thousand hosts that fetch their boot scripts, beside nginx with the same bytes in files.</summary>
internal static class SeedBenchmark
{
    private const int OursPort = 18083;
    private const int NginxPort = 18084;
    private const int Hosts = 10_000;
    private const int Rounds = 3;

    // Fewer, and a part of the code is still as it was compiled in haste.
    private const int WarmUp = 2000;

    private static readonly (string Release, bool Diskless, string File)[] Answers =
    [
        ("rhel-9", false, "ks.cfg"),
        ("ubuntu-24.04", false, "user-data"),
        ("debian-12-diskless", true, "user-data"),
    ];

    private static readonly (int Connections, bool Kept)[] Rows = [(1, true), (64, true), (64, false)];

    private sealed record Result(double PerSecond, double CpuMicroseconds, long Resident);

    public static int Run(string[] arguments)
    {
        var quick = arguments.Contains("--quick");
        Render(quick ? 200 : 2000);
        return Scripts(quick ? 2 : 4);
    }

    private static void Render(int times)
    {
        // As the service has it: one engine, and the real program that joins a host.
        var files = new AnswerFiles(new TemplateEngine(), JoinFiles.BuiltIn());
        Console.WriteLine($"Seeds: {times} renders of each on one thread, after {WarmUp} to warm up; {Environment.ProcessorCount} cores.");
        var table = new Table(["file", "bytes", "first ms", "mean µs", "p50 µs", "p99 µs", "allocated kB"]);
        foreach (var (release, diskless, file) in Answers)
        {
            var context = FullProfile.Context(release, diskless);
            var began = Stopwatch.GetTimestamp();
            var text = files.Render(context, file);
            var first = Stopwatch.GetElapsedTime(began);
            for (var i = 0; i < WarmUp; i++)
                files.Render(context, file);
            var taken = new double[times];
            var allocated = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < times; i++)
            {
                began = Stopwatch.GetTimestamp();
                var again = files.Render(context, file);
                taken[i] = Stopwatch.GetElapsedTime(began).TotalMicroseconds;
                if (again != text)
                    throw new InvalidOperationException($"{file} of {release} is another text the second time");
            }
            allocated = (GC.GetAllocatedBytesForCurrentThread() - allocated) / times;
            var mean = taken.Average();
            Array.Sort(taken);
            table.Add($"{release} {file}", $"{Encoding.UTF8.GetByteCount(text)}", $"{first.TotalMilliseconds:0}", $"{mean:0}", $"{taken[times / 2]:0}", $"{taken[times * 99 / 100]:0}", $"{allocated / 1e3:0}");
        }
        table.Print();
        Console.WriteLine();
    }

    private static int Scripts(int seconds)
    {
        if (Peer.Find("nginx") is not { } nginx || Peer.Find("wrk") is not { } wrk)
        {
            Console.Error.WriteLine("Scripts: needs nginx and wrk (apt-get install nginx-light wrk).");
            return 1;
        }
        var root = Directory.CreateTempSubdirectory("seed-benchmark");
        try
        {
            // nginx reads its files as another user than the one who made this folder.
            File.SetUnixFileMode(root.FullName, (UnixFileMode)0b111_101_101);
            var files = root.CreateSubdirectory("files");
            // The seeds' key is kept only where nobody else may look.
            var data = Directory.CreateDirectory(Path.Combine(root.FullName, "data"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            using var ours = Peer.Start("ours", Environment.ProcessPath!, "serve-scripts", data.FullName, $"{OursPort}", $"{Hosts}");
            Wrk.WaitFor(ours, OursPort);
            var size = CopyScripts(files.FullName);
            File.WriteAllText(Path.Combine(root.FullName, "nginx.conf"), $$"""
                daemon off; worker_processes 2; pid {{root}}/pid; error_log {{root}}/error.log;
                events { worker_connections 512; }
                http { sendfile on; tcp_nopush on; access_log {{root}}/access.log; keepalive_requests 100000000;
                  server { listen 127.0.0.1:{{NginxPort}}; root {{files.FullName}}; } }
                """);
            using var theirs = Peer.Start("nginx", nginx, "-c", Path.Combine(root.FullName, "nginx.conf"), "-p", root.FullName);
            Wrk.WaitFor(theirs, NginxPort);

            Console.WriteLine($"Scripts of {Hosts} hosts with open Installations, {size} bytes each on average, one after the other: wrk for {seconds} s a round, best of {Rounds} rounds, turn by turn; {Environment.ProcessorCount} cores shared with wrk. Both write a record of each request.");
            var table = new Table(["connections", "each", "server", "scripts/s", "all hosts s", "CPU µs", "RSS MB", "speed to nginx"]);
            foreach (var (connections, kept) in Rows)
            {
                var script = Path.Combine(root.FullName, $"wrk-{kept}.lua");
                File.WriteAllText(script, LoadScript(kept));
                var nginxResult = new Result(0, double.MaxValue, 0);
                var oursResult = nginxResult;
                for (var round = 0; round < Rounds; round++)
                {
                    nginxResult = Better(nginxResult, Wrk.Load(wrk, theirs, connections, seconds, "-s", script, $"http://127.0.0.1:{NginxPort}"));
                    oursResult = Better(oursResult, Wrk.Load(wrk, ours, connections, seconds, "-s", script, $"http://127.0.0.1:{OursPort}"));
                }
                foreach (var (name, result) in (ReadOnlySpan<(string, Result)>)[("nginx", nginxResult), ("ours", oursResult)])
                {
                    table.Add($"{connections}", kept ? "kept" : "one request", name, $"{result.PerSecond:0}", $"{Hosts / result.PerSecond:0.00}",
                        $"{result.CpuMicroseconds:0}", $"{result.Resident / 1e6:0}", $"{result.PerSecond / nginxResult.PerSecond:0.00}");
                }
            }
            table.Print();
            return 0;
        }
        finally
        {
            root.Delete(recursive: true);
        }
    }

    /// <summary>Fetches every host's script from ours, checks that it is that host's own and installs it, and writes it where nginx finds it.</summary>
    /// <returns>Their size on average.</returns>
    private static long CopyScripts(string folder)
    {
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{OursPort}") };
        var bytes = 0L;
        var seeds = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < Hosts; i++)
        {
            var path = PathOf(i);
            var script = client.GetByteArrayAsync(path).GetAwaiter().GetResult();
            var text = Encoding.UTF8.GetString(script);
            var seed = text.Split("/seed/").ElementAtOrDefault(1)?.Split('/', ' ', '\n')[0];
            if (!text.Contains($"host{i:00000} has an open Installation", StringComparison.Ordinal) || seed is null || !seeds.Add(seed))
                throw new InvalidOperationException($"{path} does not install host{i:00000}: {text}");
            Directory.CreateDirectory(Path.GetDirectoryName(folder + path)!);
            File.WriteAllBytes(folder + path, script);
            bytes += script.Length;
        }
        return bytes / Hosts;
    }

    private static string PathOf(int number) => $"/boot/{ScriptsUnderTest.MacOf(number).ToDashed()}/boot.ipxe";

    // With the query our first script makes. The requests are written before the clock starts, so that wrk takes little of the cores.
    private static string LoadScript(bool kept) => $$"""
        local requests, next = {}, 0
        function init()
          for i = 0, {{Hosts - 1}} do
            local mac = string.format("52-54-00-%02x-%02x-%02x", math.floor(i / 65536), math.floor(i / 256) % 256, i % 256)
            requests[i] = wrk.format("GET", "/boot/" .. mac .. "/boot.ipxe?uuid=&serial=S" .. i .. "&product=Server&manufacturer=Maker&arch=x86_64&platform=efi"{{(kept ? "" : ", { Connection = \"close\" }")}})
          end
        end
        function request()
          local one = requests[next]
          next = (next + 1) % {{Hosts}}
          return one
        end
        """;

    private static Result Better(Result best, Wrk load) => new(
        Math.Max(best.PerSecond, load.Requests / load.Seconds), Math.Min(best.CpuMicroseconds, load.CpuSeconds * 1e6 / load.Requests), Math.Max(best.Resident, load.Resident));
}
