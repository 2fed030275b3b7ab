using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Provisioner.Benchmarks.Tftp;

/// <summary>Our TFTP plane beside tftpd-hpa, atftpd and dnsmasq: the same load, turn by turn, in one run.</summary>
internal static class TftpBenchmark
{
    private const int Rounds = 3;

    /// <summary>On a busy machine the later rows get one round, so that the run ends within about eight minutes.</summary>
    private static readonly TimeSpan Enough = TimeSpan.FromMinutes(4);
    private const string Ours = "ours";

    private sealed record Result(double Seconds, double CpuPerGigabyte, long Resident, string Agreed, int Repeats);

    public static int Run(string[] arguments)
    {
        // --quick: one round. --windows 1,16 and --clients 1,128: only those rows.
        var quick = arguments.Contains("--quick");
        var windows = Choice(arguments, "--windows", [1, 16, 64]);
        var clientCounts = Choice(arguments, "--clients", [1, 16, 128]);
        var folder = Directory.CreateTempSubdirectory("tftp-benchmark");
        var servers = new List<(Peer Peer, IPEndPoint EndPoint)>();
        try
        {
            // 128 times 60 MB would take minutes for each server: a smaller file for each client, the whole never less than 60 MB.
            var files = new Dictionary<int, long> { [1] = 60_000_000, [16] = 8_000_000, [128] = 2_000_000 };
            foreach (var (clients, length) in files)
                WriteFile(Path.Combine(folder.FullName, $"f{clients}"), length);
            Start(servers, folder.FullName);
            Console.WriteLine($"TFTP: 1 client loads 60 MB, 16 clients 8 MB each, 128 clients 2 MB each. Best of {(quick ? 1 : Rounds)} rounds, turn by turn; {Environment.ProcessorCount} cores shared with the client.");
            Console.WriteLine($"Servers: {string.Join(", ", servers.Select(s => s.Peer.Name))}. CPU: seconds of the server for each GB sent. tftpd-hpa has no windowsize, dnsmasq at most 32.");
            using var client = new TftpLoadClient();
            foreach (var (peer, endPoint) in servers)
            {
                // Client and server compile their paths while they run: with windows and in lock-step.
                for (var i = 0; i < 3; i++)
                {
                    client.Run(endPoint, "f16", files[16], 1468, 16, 4);
                    client.Run(endPoint, "f16", files[16], 512, 1, 1);
                }
                if (peer.HasEnded)
                    throw new InvalidOperationException($"{peer.Name} ended: {peer.Output}");
            }
            var table = new Table(["blksize", "window", "clients", "server", "seconds", "MB/s", "CPU s/GB", "RSS MB", "speed to best peer", "CPU to least peer", ""]);
            var behind = 0;
            var started = Stopwatch.GetTimestamp();
            foreach (var clients in clientCounts)
            {
                foreach (var blockSize in (int[])[512, 1468])
                {
                    foreach (var windowSize in windows)
                        behind += AddRow(table, client, servers, blockSize, windowSize, clients, files[clients], quick || Stopwatch.GetElapsedTime(started) > Enough ? 1 : Rounds);
                }
            }
            table.Print();
            Console.WriteLine(behind == 0 ? "At least as fast as the best peer in every row, twice as fast with windows of 16 and more." : $"{behind} rows below the aim.");
            return 0;
        }
        finally
        {
            foreach (var (peer, _) in servers)
                peer.Dispose();
            folder.Delete(recursive: true);
        }
    }

    private static int[] Choice(string[] arguments, string name, int[] all)
    {
        var at = Array.IndexOf(arguments, name);
        return at < 0 ? all : [.. all.Where(value => arguments[at + 1].Split(',').Contains($"{value}"))];
    }

    private static int AddRow(Table table, TftpLoadClient client, List<(Peer Peer, IPEndPoint EndPoint)> servers, int blockSize, int windowSize, int clients, long length, int rounds)
    {
        var results = new Dictionary<string, Result>(StringComparer.Ordinal);
        for (var round = 0; round < rounds; round++)
        {
            foreach (var (peer, endPoint) in servers)
            {
                var result = Measure(peer, () => client.Run(endPoint, $"f{clients}", length, blockSize, windowSize, clients), clients * length) with
                {
                    Agreed = client.Agreed, Repeats = client.Repeats,
                };
                var before = results.GetValueOrDefault(peer.Name);
                results[peer.Name] = before is null ? result : new Result(
                    Math.Min(before.Seconds, result.Seconds), before.CpuPerGigabyte + result.CpuPerGigabyte, Math.Max(before.Resident, result.Resident), result.Agreed, before.Repeats + result.Repeats);
            }
        }
        var peers = results.Where(r => r.Key != Ours).Select(r => r.Value).ToArray();
        var fastest = peers.Min(r => r.Seconds);
        var leastCpu = peers.Min(r => r.CpuPerGigabyte);
        var below = 0;
        foreach (var (name, result) in results)
        {
            var remark = result.Agreed == $"blksize {blockSize} windowsize {windowSize}" ? "" : result.Agreed;
            if (result.Repeats > 0)
                remark += $" {result.Repeats} repeats";
            var ratio = fastest / result.Seconds;
            var aim = windowSize >= 16 ? 2.0 : 1.0;
            if (name == Ours && ratio < aim)
            {
                below = 1;
                remark += $" aim {aim:0.0}";
            }
            table.Add(
                $"{blockSize}", $"{windowSize}", $"{clients}", name, $"{result.Seconds:0.000}", $"{clients * length / result.Seconds / 1e6:0}",
                $"{result.CpuPerGigabyte / rounds:0.00}", $"{result.Resident / 1e6:0}",
                name == Ours ? $"{ratio:0.00}" : "", name == Ours ? $"{result.CpuPerGigabyte / leastCpu:0.00}" : "", remark.Trim());
        }
        return below;
    }

    private static Result Measure(Peer peer, Func<double> load, long octets)
    {
        var before = peer.Measure();
        long resident = 0;
        using var sampler = new Timer(_ => Volatile.Write(ref resident, Math.Max(Volatile.Read(ref resident), peer.Measure().ResidentBytes)), null, 30, 300);
        var seconds = load();
        sampler.Dispose();
        // tftpd-hpa's children end a little later; only then their time counts for the parent.
        Thread.Yield();
        Task.Delay(30).GetAwaiter().GetResult();
        var after = peer.Measure();
        return new Result(seconds, (after.CpuSeconds - before.CpuSeconds) / (octets / 1e9), Math.Max(resident, after.ResidentBytes), "", 0);
    }

    private static void Start(List<(Peer Peer, IPEndPoint EndPoint)> servers, string folder)
    {
        Add(Ours, 6900, Environment.ProcessPath!, "serve-tftp", folder, "6900");
        if (Peer.Find("in.tftpd") is { } hpa)
            Add("tftpd-hpa", 6901, hpa, "-L", "-4", "-a", ":6901", "-s", "-u", "root", folder);
        else
            Console.WriteLine("tftpd-hpa is not installed: left out.");
        if (FindAtftpd() is { } atftpd)
            Add("atftpd", 6902, atftpd, "--daemon", "--no-fork", "--user", "root.root", "--port", "6902", "--bind-address", "127.0.0.1", "--maxthread", "300", "--verbose=0", "--logfile", "/dev/null", folder);
        else
            Console.WriteLine("atftpd is not there (.ci/install bench): left out.");
        if (Peer.Find("dnsmasq") is { } dnsmasq)
            Add("dnsmasq", 69, dnsmasq, "-k", "--conf-file=/dev/null", "--port=0", "--enable-tftp", $"--tftp-root={folder}", "--tftp-max=300", "--user=root", "--log-facility=/dev/null", "--pid-file=", "--quiet-tftp");
        else
            Console.WriteLine("dnsmasq is not installed: left out.");
        foreach (var (peer, endPoint) in servers)
            AwaitAnswer(peer, endPoint);

        void Add(string name, int port, string program, params string[] arguments) =>
            servers.Add((Peer.Start(name, program, arguments), new IPEndPoint(IPAddress.Loopback, port)));
    }

    private static void AwaitAnswer(Peer peer, IPEndPoint endPoint)
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        for (var i = 0; i < 50; i++)
        {
            probe.SendTo("\0\x01none\0octet\0"u8, endPoint);
            if (probe.Poll(200_000, SelectMode.SelectRead))
                return;
        }
        throw new InvalidOperationException($"{peer.Name} does not answer: {peer.Output}");
    }

    /// <summary>As a package it conflicts with tftpd-hpa: .ci/install unpacks it beside it, into the folder for caches at the root of the repository.</summary>
    private static string? FindAtftpd()
    {
        if (Peer.Find("atftpd") is { } installed)
            return installed;
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "Provisioner.sln")))
            root = root.Parent;
        var program = root is null ? "" : Path.Combine(root.FullName, ".cache", "atftpd", "usr", "sbin", "atftpd");
        return File.Exists(program) ? program : null;
    }

    private static void WriteFile(string path, long length)
    {
        var content = new byte[length];
        new Random(1).NextBytes(content);
        File.WriteAllBytes(path, content);
    }
}
