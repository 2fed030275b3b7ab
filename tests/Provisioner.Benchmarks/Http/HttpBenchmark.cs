using System.Security.Cryptography;

namespace Provisioner.Benchmarks.Http;

/// <summary>Our HTTP boot plane beside nginx, loaded by wrk turn by turn in one run.</summary>
internal static class HttpBenchmark
{
    private const int OursPort = 18080;
    private const int NginxPort = 18081;
    private const int Rounds = 3;

    private static readonly (string File, int Size, int Connections)[] Rows =
    [
        ("initrd", 60_000_000, 1),
        ("initrd", 60_000_000, 32),
        ("loader", 250_000, 32),
        ("script", 600, 64),
    ];

    private sealed record Result(double RequestsPerSecond, double CpuPerGigabyte, double CpuPerThousand, long Resident);

    public static int Run(string[] arguments)
    {
        if (Peer.Find("nginx") is not { } nginx || Peer.Find("wrk") is not { } wrk)
        {
            Console.Error.WriteLine("HTTP: needs nginx and wrk (apt-get install nginx-light wrk).");
            return 1;
        }
        var seconds = arguments.Contains("--quick") ? 2 : 4;
        var root = Directory.CreateTempSubdirectory("http-benchmark");
        try
        {
            // nginx reads its files as another user than the one who made this folder.
            File.SetUnixFileMode(root.FullName, (UnixFileMode)0b111_101_101);
            var files = root.CreateSubdirectory("files");
            foreach (var (file, size, _) in Rows.DistinctBy(r => r.File))
                File.WriteAllBytes(Path.Combine(files.FullName, file), RandomNumberGenerator.GetBytes(size));
            File.WriteAllText(Path.Combine(root.FullName, "nginx.conf"), $$"""
                daemon off; worker_processes 2; pid {{root}}/pid; error_log {{root}}/error.log;
                events { worker_connections 512; }
                http { sendfile on; tcp_nopush on; access_log {{root}}/access.log; keepalive_requests 100000000;
                  server { listen 127.0.0.1:{{NginxPort}}; root {{files.FullName}}; } }
                """);
            using var ours = Peer.Start("ours", Environment.ProcessPath!, "serve-http", files.FullName, $"{OursPort}");
            using var theirs = Peer.Start("nginx", nginx, "-c", Path.Combine(root.FullName, "nginx.conf"), "-p", root.FullName);
            Wrk.WaitFor(ours, OursPort);
            Wrk.WaitFor(theirs, NginxPort);

            Console.WriteLine($"HTTP: wrk for {seconds} s a round, best of {Rounds} rounds, turn by turn; {Environment.ProcessorCount} cores shared with wrk. Both write a record of each request.");
            var table = new Table(["bytes", "connections", "server", "requests/s", "MB/s", "CPU s/GB", "CPU ms/1000", "RSS MB", "speed to nginx"]);
            foreach (var (file, size, connections) in Rows)
            {
                var nginxResult = new Result(0, double.MaxValue, double.MaxValue, 0);
                var oursResult = nginxResult;
                for (var round = 0; round < Rounds; round++)
                {
                    nginxResult = Better(nginxResult, Measure(theirs, wrk, NginxPort, file, size, connections, seconds));
                    oursResult = Better(oursResult, Measure(ours, wrk, OursPort, file, size, connections, seconds));
                }
                Add(table, size, connections, "nginx", nginxResult, nginxResult);
                Add(table, size, connections, "ours", oursResult, nginxResult);
            }
            table.Print();
            return 0;
        }
        finally
        {
            root.Delete(recursive: true);
        }
    }

    private static Result Measure(Peer peer, string wrk, int port, string file, int size, int connections, int seconds)
    {
        var load = Wrk.Load(wrk, peer, connections, seconds, $"http://127.0.0.1:{port}/{file}");
        // What was read counts, not what was finished: 60 MB answers are still under way when the time is up.
        var requests = Math.Max(load.Bytes / size, 0.001);
        return new Result(requests / load.Seconds, load.CpuSeconds / (load.Bytes / 1e9), load.CpuSeconds * 1e6 / requests, load.Resident);
    }

    private static Result Better(Result a, Result b) => new(
        Math.Max(a.RequestsPerSecond, b.RequestsPerSecond), Math.Min(a.CpuPerGigabyte, b.CpuPerGigabyte), Math.Min(a.CpuPerThousand, b.CpuPerThousand), Math.Max(a.Resident, b.Resident));

    private static void Add(Table table, int size, int connections, string name, Result result, Result nginx) => table.Add(
        $"{size}", $"{connections}", name, $"{result.RequestsPerSecond:0.#}", $"{result.RequestsPerSecond * size / 1e6:0}", $"{result.CpuPerGigabyte:0.00}",
        $"{result.CpuPerThousand:0.0}", $"{result.Resident / 1e6:0}", $"{result.RequestsPerSecond / nginx.RequestsPerSecond:0.00}");
}
