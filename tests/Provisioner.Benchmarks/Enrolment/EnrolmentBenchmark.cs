using System.Diagnostics;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Provisioner.Protocols.Est;

namespace Provisioner.Benchmarks.Enrolment;

/// <summary>
/// Hosts that enrol with the real service over TLS, few and many at once; beside it what signatures, durable writes and handshakes
/// cost on the same machine in the same run, so that one sees what bounds it.
/// </summary>
internal static class EnrolmentBenchmark
{
    private const int Port = 18443;
    private const int HttpPort = 18082;

    private static readonly byte[] AskAuthorities = [.. "GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\n\r\n"u8];

    private static readonly Row[] Rows = [new("just started", 256, 500), new("", 1, 250), new("", 32, 500), new("", 256, 1000)];

    private sealed record Row(string Name, int Clients, int Hosts);

    /// <param name="Batch">Hosts in one durable write, on average; 0 where nothing is written.</param>
    /// <param name="ServiceCpu">Seconds of CPU for one host; the client's beside it.</param>
    private sealed record Result(double Seconds, double PerSecond, double P50, double P99, double Batch, double ServiceCpu, double ClientCpu);

    public static int Run(string[] arguments)
    {
        var quick = arguments.Contains("--quick");
        var rounds = quick ? 1 : 3;
        var root = Directory.CreateTempSubdirectory("enrolment-benchmark");
        try
        {
            var enrolments = Rows.ToDictionary(row => row, _ => new List<Result>());
            var handshakes = Rows.Skip(1).ToDictionary(row => row, _ => new List<Result>());
            var hosts = new List<WaitingHost>();
            var resident = 0L;
            for (var round = 0; round < rounds; round++)
            {
                var data = Path.Combine(root.FullName, $"data{round}");
                hosts = WaitingHost.Register(data, Rows.Sum(row => row.Hosts));
                using var service = StartService(root.FullName, data);
                var client = Connect(service);
                var next = 0;
                foreach (var row in Rows)
                {
                    var asking = hosts.GetRange(next, row.Hosts);
                    next += row.Hosts;
                    enrolments[row].Add(Enrol(service, client, row.Clients, asking, data));
                    if (handshakes.TryGetValue(row, out var alone))
                        alone.Add(Load(service, client, row.Clients, [.. Enumerable.Repeat(AskAuthorities, row.Hosts)], out _));
                }
                resident = Math.Max(resident, service.Measure().ResidentBytes);
            }
            Print(enrolments.ToDictionary(e => e.Key, e => Best(e.Value)), handshakes.ToDictionary(h => h.Key, h => Best(h.Value)), rounds, resident,
                batch => RawCosts.Measure(root.FullName, hosts, batch, quick));
            return 0;
        }
        finally
        {
            root.Delete(recursive: true);
        }
    }

    private static Peer StartService(string root, string data)
    {
        var configuration = Path.Combine(root, "provisioner.yaml");
        File.WriteAllText(configuration, $$"""
            http: { address: 127.0.0.1, port: {{HttpPort}} }
            secure: { address: 127.0.0.1, port: {{Port}} }
            """);
        return Peer.Start("provisioner", Path.Combine(AppContext.BaseDirectory, "provisioner"), "serve", "--config", configuration, "--data", data, "--allow-unsynchronised-clock");
    }

    /// <summary>Waits for the service and pins its authority.</summary>
    private static SecureClient Connect(Peer service)
    {
        for (var attempt = 0; attempt < 300; attempt++)
        {
            if (service.HasEnded)
                throw new InvalidOperationException($"the service ended: {service.Output}");
            try
            {
                var body = new SecureClient(Port, authority: null).AskAsync(AskAuthorities).GetAwaiter().GetResult();
                if (!EstMessage.TryDecode(body, out var der, out var reason))
                    throw new InvalidOperationException(reason);
                var authorities = new X509Certificate2Collection();
#pragma warning disable SYSLIB0057 // X509CertificateLoader reads no PKCS#7, and these bytes are our own service's.
                authorities.Import(der);
#pragma warning restore SYSLIB0057
                return new SecureClient(Port, authorities[0]);
            }
            catch (SocketException)
            {
                new ManualResetEventSlim().Wait(100);
            }
        }
        throw new TimeoutException($"the service does not listen: {service.Output}");
    }

    private static Result Enrol(Peer service, SecureClient client, int clients, List<WaitingHost> hosts, string data)
    {
        var before = Writes(data);
        var result = Load(service, client, clients, hosts.ConvertAll(host => host.Message), out var answers);
        // After the clock: that each host has a certificate of its own, or the figures mean nothing.
        for (var i = 0; i < hosts.Count; i++)
        {
            if (!hosts[i].IsCertifiedBy(answers[i]))
                throw new InvalidOperationException($"{hosts[i].Name} was given something else than its certificate");
        }
        return result with { Batch = (double)hosts.Count / (Writes(data) - before) };
    }

    // The journal has a line for each durable write that holds certificates.
    private static int Writes(string data)
    {
        using var journal = new FileStream(Path.Combine(data, "certificates.journal"), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(journal);
        var lines = 0;
        while (reader.ReadLine() is not null)
            lines++;
        return lines;
    }

    /// <summary>So many clients at once, each with a new connection for each message, until all messages are answered.</summary>
    private static Result Load(Peer service, SecureClient client, int clients, List<byte[]> messages, out byte[][] answers)
    {
        var bodies = new byte[messages.Count][];
        var milliseconds = new double[messages.Count];
        var next = -1;
        async Task AskInTurnAsync()
        {
            while (Interlocked.Increment(ref next) is var i && i < messages.Count)
            {
                var asked = Stopwatch.GetTimestamp();
                bodies[i] = await client.AskAsync(messages[i]);
                milliseconds[i] = Stopwatch.GetElapsedTime(asked).TotalMilliseconds;
            }
        }

        var (serviceBefore, clientBefore) = (service.Measure(), Environment.CpuUsage.TotalTime);
        var started = Stopwatch.GetTimestamp();
        Task.WhenAll(Enumerable.Range(0, clients).Select(_ => Task.Run(AskInTurnAsync))).GetAwaiter().GetResult();
        var took = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var serviceCpu = service.Measure().CpuSeconds - serviceBefore.CpuSeconds;
        var clientCpu = (Environment.CpuUsage.TotalTime - clientBefore).TotalSeconds;
        answers = bodies;
        Array.Sort(milliseconds);
        return new Result(took, messages.Count / took, milliseconds[messages.Count / 2], milliseconds[messages.Count * 99 / 100], 0, serviceCpu / messages.Count, clientCpu / messages.Count);
    }

    /// <summary>The round that was fastest: another program may have had the processor in the others.</summary>
    private static Result Best(List<Result> results) => results.MaxBy(r => r.PerSecond)!;

    private static void Print(Dictionary<Row, Result> enrolments, Dictionary<Row, Result> handshakes, int rounds, long resident, Func<int, RawCosts> measureRaw)
    {
        Console.WriteLine($"Enrolment: best of {rounds} rounds, each with a new service of a new data directory.");
        Console.WriteLine($"{Environment.ProcessorCount} cores, shared by the service and the clients (one other process).");
        Console.WriteLine("Each host is a new connection, a whole TLS 1.3 handshake, one POST.");
        var table = new Table(["clients", "hosts", "s", "hosts/s", "p50 ms", "p99 ms", "a write", "CPU ms", "clients' ms"]);
        foreach (var (row, r) in enrolments)
            Add(table, row, r, $"{r.Batch:0.0}");
        table.Print();
        Console.WriteLine($"CPU ms: of the service for one host. a write: hosts in it. RSS {resident / 1e6:0} MB.");

        Console.WriteLine();
        Console.WriteLine("Handshakes alone: the same clients, GET cacerts");
        table = new Table(["clients", "times", "s", "times/s", "p50 ms", "p99 ms", "a write", "CPU ms", "clients' ms"]);
        foreach (var (row, r) in handshakes)
            Add(table, row, r, "-");
        table.Print();

        var (busiest, best) = enrolments.Last();
        var raw = measureRaw(Math.Max(1, (int)Math.Round(best.Batch)));
        Console.WriteLine();
        Console.WriteLine("What it cannot do without, alone, one thread");
        table = new Table(["what", "µs", "a second", "µs a host"]);
        AddRaw(table, "sign a certificate (P-256)", raw.Sign, 1);
        AddRaw(table, "verify a request (P-256, key imported)", raw.Verify, 1);
        AddRaw(table, $"durable write of {raw.Batch} hosts, by the store", raw.Write, raw.Batch);
        AddRaw(table, "within: 4 KiB and fsync", raw.Flush, raw.Batch);
        AddRaw(table, "beside: a request read and verified", raw.Read, 1);
        AddRaw(table, "beside: a certificate made and signed", raw.Issue, 1);
        table.Print();
        Console.WriteLine($"Signatures and durable writes one after another: {raw.Bound:0} hosts/s.");
        Console.WriteLine($"ratio at {busiest.Clients} clients: {best.PerSecond / raw.Bound:0.00}; to handshakes alone: {best.PerSecond / handshakes[busiest].PerSecond:0.00}");
        Console.WriteLine($"1,000 hosts at {busiest.Clients} clients: {1000 / best.PerSecond:0.0} s");
    }

    private static void Add(Table table, Row row, Result r, string batch) => table.Add(
        row.Name.Length == 0 ? $"{row.Clients}" : $"{row.Clients}, {row.Name}", $"{row.Hosts}", $"{r.Seconds:0.00}", $"{r.PerSecond:0}", $"{r.P50:0.0}", $"{r.P99:0.0}", batch, $"{r.ServiceCpu * 1e3:0.00}", $"{r.ClientCpu * 1e3:0.00}");

    private static void AddRaw(Table table, string what, double seconds, int hosts) =>
        table.Add(what, $"{seconds * 1e6:0}", $"{1 / seconds:0}", $"{seconds / hosts * 1e6:0}");
}
