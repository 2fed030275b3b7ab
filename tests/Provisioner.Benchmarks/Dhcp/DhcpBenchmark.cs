using System.Diagnostics;
using System.Globalization;

namespace Provisioner.Benchmarks.Dhcp;

/// <summary>
/// Our DHCP service beside dnsmasq and Kea under perfdhcp, one after the other on the same cable: each leases from a /16, keeps its leases on disk as it does by default, and does not probe.
/// </summary>
internal static class DhcpBenchmark
{
    private const string Server = "10.90.0.1";
    private const string Range = "10.90.1.0-10.90.250.255";
    private const string Ours = "ours";
    private const string OursInMemory = "ours without store";

    /// <summary>Exchanges a second: four messages each.</summary>
    private static readonly int[] Rates = [50, 100, 250, 500, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 8_000, 10_000, 12_000, 15_000];

    /// <summary>A large hall: each machine comes again and again and gets the address it had.</summary>
    private const int Machines = 2_000;

    /// <summary>Where delay and CPU are measured: every server keeps up.</summary>
    private const int SteadyRate = 500;

    private const int Seconds = 4;

    private static readonly string Memory = Path.Combine("/dev/shm", $"dhcp-benchmark-{Environment.ProcessId}");

    /// <param name="Sustained">Exchanges a second, the highest rate without drops.</param>
    /// <param name="P50">Milliseconds from DISCOVER to OFFER.</param>
    /// <param name="CpuMicroseconds">Of the server, for one exchange.</param>
    private sealed record Result(string Name, int Sustained, string Limit, double P50, double P95, double CpuMicroseconds, long Resident);

    public static int Run(string[] arguments)
    {
        if (Peer.Find("perfdhcp") is null)
        {
            Console.Error.WriteLine("DHCP: perfdhcp is missing (apt-get install kea-admin)");
            return 1;
        }
        var folder = Directory.CreateTempSubdirectory("dhcp-benchmark");
        // The clients' end of the cable is in a namespace that lives as long as this process.
        using var clients = Peer.Start("clients", "unshare", "--net", "sleep", "3600");
        try
        {
            Connect(clients);
            var rates = arguments.Contains("--quick") ? Rates[..6] : Rates;
            var results = new List<Result>();
            foreach (var start in (Func<string, Peer?>[])[data => StartOurs(Ours, data), data => StartOurs(OursInMemory, data, "--no-store"), StartDnsmasq, StartDnsmasqInMemory, StartKea])
            {
                var data = Path.Combine(folder.FullName, $"{results.Count}");
                Directory.CreateDirectory(data);
                if (start(data) is not { } peer)
                    continue;
                using (peer)
                    results.Add(Measure(peer, clients, rates));
            }
            Print(results);
            return 0;
        }
        finally
        {
            folder.Delete(recursive: true);
            if (Directory.Exists(Memory))
                Directory.Delete(Memory, recursive: true);
        }
    }

    private static Result Measure(Peer peer, Peer clients, int[] rates)
    {
        WaitUntilItAnswers(peer, clients);
        // Warm: every path compiled, every file open.
        Load(clients, SteadyRate, 12, Machines);

        var before = peer.Measure();
        var steady = Load(clients, SteadyRate, 5, Machines);
        var after = peer.Measure();
        var cpu = (after.CpuSeconds - before.CpuSeconds) * 1e6 / steady.Completed;

        var sustained = 0;
        var limit = "";
        foreach (var rate in rates)
        {
            var load = Load(clients, rate, Seconds, Machines);
            if (load.Dropped > 0 || load.Completed < 0.97 * rate * Seconds)
            {
                // Once more: another program may have had the processor.
                load = Load(clients, rate, Seconds, Machines);
            }
            if (load.Dropped > 0 || load.Completed < 0.97 * rate * Seconds)
            {
                limit = load.Dropped > 0 ? $"{load.Dropped} drops at {rate}/s" : $"perfdhcp reached {load.Completed / Seconds}/s of {rate}/s";
                break;
            }
            sustained = rate;
        }
        return new Result(peer.Name, sustained, limit, steady.P50, steady.P95, cpu, after.ResidentBytes);
    }

    private static void Print(List<Result> results)
    {
        var ours = results.Single(r => r.Name == Ours);
        var peers = results.Where(r => r.Name is not (Ours or OursInMemory)).ToList();
        Console.WriteLine($"DHCP: DISCOVER, OFFER, REQUEST, ACK by perfdhcp from {Machines} machines; {Environment.ProcessorCount} cores shared with perfdhcp. Delay and CPU at {SteadyRate} exchanges/s.");
        var table = new Table(["server", "sustained/s", "p50 ms", "p95 ms", "CPU µs/exchange", "RSS MB", "limit"]);
        foreach (var r in results)
            table.Add(r.Name, $"{r.Sustained}", $"{r.P50:F3}", $"{r.P95:F3}", $"{r.CpuMicroseconds:F0}", $"{r.Resident / 1e6:F0}", r.Limit);
        table.Print();
        foreach (var peer in peers)
            Console.WriteLine($"ours to {peer.Name}: rate {Ratio(ours.Sustained, peer.Sustained)}, p50 {Ratio(ours.P50, peer.P50)}, p95 {Ratio(ours.P95, peer.P95)}, CPU {Ratio(ours.CpuMicroseconds, peer.CpuMicroseconds)}");
        Explain(ours, results.Single(r => r.Name == OursInMemory), peers);
    }

    private static void Explain(Result ours, Result path, List<Result> peers)
    {
        if (peers.Any(p => p.CpuMicroseconds < ours.CpuMicroseconds))
            Console.WriteLine($"Behind in CPU: of {ours.CpuMicroseconds:F0} µs an exchange, {ours.CpuMicroseconds - path.CpuMicroseconds:F0} µs are the store's, which keeps each lease and event as a document; Kea appends a line of text.");
    }

    private static string Ratio(double a, double b) => b == 0 ? "-" : (a / b).ToString("F2", CultureInfo.InvariantCulture);

    private static Peer StartOurs(string name, string data, params string[] more) =>
        Peer.Start(name, Environment.ProcessPath!, ["serve-dhcp", "bench0", "10.90.0.0/16", Range, data, "reserve", .. more]);

    private static Peer? StartDnsmasq(string data) => StartDnsmasq("dnsmasq", data);

    /// <summary>dnsmasq writes its whole lease file anew for each lease: this row keeps that file in memory, to show what of its time is the disk.</summary>
    private static Peer? StartDnsmasqInMemory(string _)
    {
        Directory.CreateDirectory(Memory);
        return StartDnsmasq("dnsmasq, leases in RAM", Memory);
    }

    private static Peer? StartDnsmasq(string name, string data) => Peer.Find("dnsmasq") is { } program
        ? Peer.Start(name, program, "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root", "--no-ping", "--dhcp-authoritative",
            "--quiet-dhcp", "--log-facility=-", $"--dhcp-range={Range.Replace('-', ',')},255.255.0.0,1h", $"--dhcp-leasefile={data}/leases", "--dhcp-lease-max=100000",
            "--interface=bench0", "--bind-interfaces", $"--pid-file={data}/pid")
        : null;

    private static Peer? StartKea(string data)
    {
        if (Peer.Find("kea-dhcp4") is not { } program)
            return null;
        var configuration = Path.Combine(data, "kea.json");
        File.WriteAllText(configuration, $$"""
            { "Dhcp4": {
                "interfaces-config": { "interfaces": ["bench0/{{Server}}"], "dhcp-socket-type": "udp" },
                "lease-database": { "type": "memfile", "persist": true, "name": "{{data}}/leases.csv", "lfc-interval": 0 },
                "valid-lifetime": 3600,
                "subnet4": [ { "subnet": "10.90.0.0/16", "pools": [ { "pool": "{{Range}}" } ] } ],
                "loggers": [ { "name": "kea-dhcp4", "severity": "ERROR", "output_options": [ { "output": "stdout" } ] } ]
            } }
            """);
        return Peer.Start("Kea", "env", $"KEA_PIDFILE_DIR={data}", $"KEA_LOCKFILE_DIR={data}", program, "-c", configuration);
    }

    private static void Connect(Peer clients)
    {
        // The namespace is there once unshare has become sleep.
        SpinWait.SpinUntil(() => File.ReadAllText($"/proc/{clients.Id}/comm").StartsWith("sleep", StringComparison.Ordinal), TimeSpan.FromSeconds(2));
        Do("ip", "link", "add", "bench0", "type", "veth", "peer", "name", "bench1", "netns", $"{clients.Id}");
        Do("ip", "address", "add", $"{Server}/16", "dev", "bench0");
        Do("ip", "link", "set", "bench0", "up");
        Do("ethtool", "-K", "bench0", "tx", "off");
        foreach (var command in (string[])["ip address add 10.90.0.2/16 dev bench1", "ip link set bench1 up", "ethtool -K bench1 tx off"])
            Do("nsenter", ["--net", $"--target={clients.Id}", .. command.Split(' ')]);
    }

    private static void WaitUntilItAnswers(Peer peer, Peer clients)
    {
        for (var i = 0; i < 20; i++)
        {
            if (peer.HasEnded)
                throw new InvalidOperationException($"{peer.Name} ended: {peer.Output}");
            if (Load(clients, 10, 1, 10).Completed > 5)
                return;
        }
        throw new InvalidOperationException($"{peer.Name} does not answer: {peer.Output}");
    }

    /// <summary>One run of perfdhcp.</summary>
    private static LoadResult Load(Peer clients, int rate, int seconds, int machines)
    {
        var start = new ProcessStartInfo("nsenter", ["--net", $"--target={clients.Id}", Peer.Find("perfdhcp")!, "-4", "-l", "bench1", "-g", "multi",
            "-r", $"{rate}", "-p", $"{seconds}", "-R", $"{machines}", "-W", "300000", "-x", "t", Server])
        { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        using var perfdhcp = Process.Start(start)!;
        var error = perfdhcp.StandardError.ReadToEndAsync();
        var output = perfdhcp.StandardOutput.ReadToEnd();
        perfdhcp.WaitForExit();
        error.GetAwaiter().GetResult();
        return LoadResult.Read(output);
    }

    private static void Do(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardOutput = true })!;
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} failed with {process.ExitCode}");
    }
}
