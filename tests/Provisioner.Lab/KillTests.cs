using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Provisioner.Cli;
using Provisioner.Lab.Harness;
using Provisioner.Protocols.Est;

namespace Provisioner.Lab;

/// <summary>
/// The service is killed, not stopped, while a thousand hosts enrol: between two writes, in the middle of one, while it starts. What a host
/// was given stays given, and no token is lost.
/// </summary>
public sealed class KillTests(ITestOutputHelper output)
{
    private const int Hosts = 1000;

    /// <summary>Hosts that ask at the same time.</summary>
    private const int Crowd = 24;

    /// <summary>A word of the run to have the same kills again, as far as the machine has them at the same moments.</summary>
    private const string SeedVariable = "PROVISIONER_LAB_SEED";

    private static readonly string[] Database = ["provisioner.db", "provisioner-log.db", "provisioner.sequence"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_a_host_was_given_outlives_every_kill()
    {
        Prerequisites.SkipWithout();
        var seed = int.TryParse(Environment.GetEnvironmentVariable(SeedVariable), CultureInfo.InvariantCulture, out var wanted) ? wanted : Random.Shared.Next();
        output.WriteLine($"{SeedVariable}={seed}");
        await using var network = await LabNetwork.CreateAsync();
        var appliance = new Killable(network, new Random(seed));
        await using (appliance)
        {
            await appliance.StartAsync();
            var hosts = await RegisterAsync(appliance);
            using var http = appliance.Client(await appliance.Service.DoAsync("ca", "show", "--pem"));
            var watch = Stopwatch.StartNew();

            await EnrolAllAsync(appliance, hosts, http);
            output.WriteLine($"{Hosts} enrolled in {watch.Elapsed.TotalSeconds:F1} s with {appliance.Kills} kills, {appliance.KillsWhileStarting} of them while it started; "
                + $"{hosts.Sum(h => h.Attempts)} requests, {hosts.Count(h => h.WasGivenAgain)} certificates were issued to a request whose answer never arrived");

            await appliance.KillAsync();
            await appliance.StartAsync();
            var recorded = await RecordedAsync(appliance.Service);
            AssertSame(hosts, recorded.Values.Select(json => (Text(json, "host"), Text(json, "serial"))));
            Assert.All(recorded.Values, json => Assert.Equal("good", Text(json, "state")));
            await AssertGivenAgainAsync(hosts, http);
            var authority = await AuthorityAsync(appliance.Service);

            await appliance.StopAsync();
            AssertJournaled(hosts, Path.Combine(appliance.Data, "certificates.journal"));
            var aside = Directory.CreateDirectory(Path.Combine(network.Directory, "aside")).FullName;
            foreach (var file in Database.Where(file => File.Exists(Path.Combine(appliance.Data, file))))
                File.Move(Path.Combine(appliance.Data, file), Path.Combine(aside, file));
            Assert.Contains(Database[0], Directory.GetFiles(aside).Select(Path.GetFileName));

            await appliance.StartAsync();
            AssertSame(hosts, (await RecordedAsync(appliance.Service)).Values.Select(json => (Text(json, "host"), Text(json, "serial"))));
            Assert.Equal(authority, await AuthorityAsync(appliance.Service));
            await AssertStillIssuesAsync(appliance, hosts, http);
        }
        output.WriteLine($"{appliance.Kills} kills in all");
    }

    private async Task<List<Enrolling>> RegisterAsync(Killable appliance)
    {
        var watch = Stopwatch.StartNew();
        var names = Enumerable.Range(1, Hosts).Select(i => string.Create(CultureInfo.InvariantCulture, $"server-{i:d4}")).ToList();
        await appliance.Service.ApplyAsync(string.Concat(names.Select((name, i) => HostOf(name, i + 1))));
        var registered = watch.Elapsed;
        var hosts = new ConcurrentBag<Enrolling>();
        using var api = new ApiClient(appliance.Service.Socket);
        await Parallel.ForEachAsync(names, new ParallelOptions { MaxDegreeOfParallelism = Crowd, CancellationToken = Cancel },
            async (name, cancellation) => hosts.Add(await Enrolling.WithTokenAsync(api, name, cancellation)));
        output.WriteLine($"{Hosts} hosts registered in {registered.TotalSeconds:F1} s, a token for each in {(watch.Elapsed - registered).TotalSeconds:F1} s");
        return [.. hosts.OrderBy(h => h.Name, StringComparer.Ordinal)];
    }

    private static string HostOf(string name, int number) =>
        SiteResources.Host(name, string.Create(CultureInfo.InvariantCulture, $"52:54:00:78:{number / 256:x2}:{number % 256:x2}"), "x86_64", profile: null);

    /// <summary>All hosts ask, each until it has its certificate, while the service is killed and started again.</summary>
    private static async Task EnrolAllAsync(Killable appliance, List<Enrolling> hosts, HttpClient http)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        over.CancelAfter(TimeSpan.FromMinutes(4));
        var enrolled = 0;
        var killing = appliance.KillAlongAsync(() => Volatile.Read(ref enrolled), over.Token);
        var enrolling = Parallel.ForEachAsync(hosts, new ParallelOptions { MaxDegreeOfParallelism = Crowd, CancellationToken = over.Token }, async (host, cancellation) =>
        {
            await host.EnrolAsync(http, cancellation);
            Interlocked.Increment(ref enrolled);
        });
        // A service that does not start again leaves the hosts asking for ever: whichever fails first ends the other.
        await foreach (var ended in Task.WhenEach(killing, enrolling))
        {
            if (!ended.IsCompletedSuccessfully)
                await over.CancelAsync();
        }
        await Task.WhenAll(killing, enrolling);
    }

    /// <summary>Each host sends its request once more and gets what it got.</summary>
    private static Task AssertGivenAgainAsync(List<Enrolling> hosts, HttpClient http) =>
        Parallel.ForEachAsync(hosts, new ParallelOptions { MaxDegreeOfParallelism = Crowd, CancellationToken = Cancel }, async (host, cancellation) =>
            Assert.True((await host.AskAsync(http, cancellation)).AsSpan().SequenceEqual(host.Certificate), $"{host.Name} was given another certificate for the same request"));

    private static async Task AssertStillIssuesAsync(Killable appliance, List<Enrolling> hosts, HttpClient http)
    {
        await appliance.Service.ApplyAsync(HostOf("late", Hosts + 1));
        using var api = new ApiClient(appliance.Service.Socket);
        var late = await Enrolling.WithTokenAsync(api, "late", Cancel);
        await late.EnrolAsync(http, Cancel);
        using var certificate = X509CertificateLoader.LoadCertificate(late.Certificate);
        using var before = X509CertificateLoader.LoadCertificate(hosts[0].Certificate);
        Assert.Equal(before.Issuer, certificate.Issuer);
        Assert.DoesNotContain(hosts, host => host.Serial == late.Serial);
    }

    /// <summary>One certificate for each host, the one it received, and no other.</summary>
    private static void AssertSame(List<Enrolling> hosts, IEnumerable<(string Host, string Serial)> found)
    {
        var received = hosts.Select(h => $"{h.Name} {h.Serial}").ToList();
        var there = found.Select(f => $"{f.Host} {f.Serial}").ToList();
        var (lost, unknown) = (received.Except(there, StringComparer.Ordinal).ToList(), there.Except(received, StringComparer.Ordinal).ToList());
        Assert.True(lost.Count == 0 && unknown.Count == 0 && there.Count == received.Count,
            $"received and not there: {string.Join(", ", lost)}; there and never received: {string.Join(", ", unknown)}; {there.Count} for {received.Count} hosts");
    }

    /// <summary>The same in the journal, read here as any other program would; each line whole, no serial for two certificates.</summary>
    private static void AssertJournaled(List<Enrolling> hosts, string journal)
    {
        var bySerial = new Dictionary<string, string>(StringComparer.Ordinal);
        var ofHosts = new Dictionary<string, (string Host, string Serial)>(StringComparer.Ordinal);
        foreach (var line in File.ReadLines(journal))
        {
            Assert.Equal(line[..16], Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(line[17..])))[..16]);
            foreach (var entry in JsonNode.Parse(line[17..])!["records"]!.AsArray().Select(entry => entry!).Where(entry => Text(entry, "kind") == "certificate"))
            {
                var record = entry["record"]!;
                var (serial, der) = (Text(record, "serial"), Text(record, "der"));
                Assert.True(bySerial.TryAdd(serial, der) || bySerial[serial] == der, $"serial {serial} was given to two certificates");
                if (Text(record, "purpose") == "host")
                    ofHosts[serial] = (Text(record, "host"), serial);
            }
        }
        AssertSame(hosts, ofHosts.Values);
        Assert.All(hosts, host => Assert.Equal(Convert.ToBase64String(host.Certificate), bySerial[host.Serial]));
    }

    /// <summary>By serial.</summary>
    private static async Task<Dictionary<string, JsonNode>> RecordedAsync(ServiceProcess service)
    {
        var items = JsonNode.Parse(await service.DoAsync("get", "certificates", "-o", "json"))!["items"]!.AsArray();
        return items.ToDictionary(item => Text(item!, "serial"), item => item!, StringComparer.Ordinal);
    }

    private static async Task<string> AuthorityAsync(ServiceProcess service)
    {
        var authority = Assert.Single(JsonNode.Parse(await service.DoAsync("ca", "show", "-o", "json"))!["authorities"]!.AsArray())!;
        return string.Join(' ', new[] { "id", "state", "subject", "fingerprint" }.Select(field => Text(authority, field)));
    }

    private static string Text(JsonNode json, string field) => json[field]!.GetValue<string>();

    /// <summary>The appliance, alone on the loopback of a namespace.</summary>
    private sealed class Killable(LabNetwork network, Random random) : IAsyncDisposable
    {
        /// <summary>Kills in the middle of the work: the first after a few enrolments, the last before the end.</summary>
        private const int Planned = 8;

        private static readonly IPEndPoint Secure = new(IPAddress.Loopback, 8443);

        public string Data { get; } = Path.Combine(network.Directory, "data");

        public ServiceProcess Service { get; private set; } = null!;

        public int Kills { get; private set; }

        public int KillsWhileStarting { get; private set; }

        public async Task StartAsync()
        {
            Service = ServiceProcess.Begin(network.Appliance, Data);
            await Service.AnswersAsync();
        }

        public Task<int> StopAsync() => Service.StopAsync();

        public async Task KillAsync()
        {
            await Service.KillAsync();
            await Service.DisposeAsync();
            Kills++;
        }

        /// <summary>Kills and starts it along the way, at moments that nothing is told of.</summary>
        public async Task KillAlongAsync(Func<int> enrolled, CancellationToken cancellation)
        {
            var share = Hosts / Planned;
            for (var i = 0; i < Planned; i++)
            {
                var from = i * share + random.Next(share);
                while (enrolled() < from)
                {
                    if (Service.HasExited)
                        throw new LabException($"The service did not start again after kill {Kills}:\n{Service.LogTail()}");
                    await Task.Delay(1, cancellation);
                }
                await Task.Delay(random.Next(40), cancellation);
                await KillAsync();
                Service = ServiceProcess.Begin(network.Appliance, Data);
                if (i % 4 != 1)
                    continue;
                await Task.Delay(random.Next(200, 1500), cancellation);
                await KillAsync();
                KillsWhileStarting++;
                Service = ServiceProcess.Begin(network.Appliance, Data);
            }
            await Service.AnswersAsync();
        }

        /// <summary>A client that trusts this authority alone; each request has a connection of its own.</summary>
        public HttpClient Client(string authority)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.ImportFromPem(authority);
            var handler = new SocketsHttpHandler
            {
                UseProxy = false,
                ConnectCallback = async (_, cancellation) => await network.Appliance.ConnectAsync(Secure, cancellation),
                SslOptions = new SslClientAuthenticationOptions { TargetHost = "localhost", CertificateChainPolicy = policy },
            };
            return new HttpClient(handler) { BaseAddress = new Uri($"https://localhost:{Secure.Port}"), Timeout = TimeSpan.FromSeconds(20) };
        }

        public ValueTask DisposeAsync() => Service?.DisposeAsync() ?? ValueTask.CompletedTask;
    }

    /// <summary>A host with its token and its request, which is the same each time it asks.</summary>
    private sealed class Enrolling(string name, string installation, string token)
    {
        private readonly string request = RequestOf(name);

        public string Name => name;

        /// <summary>DER; empty until it was received.</summary>
        public byte[] Certificate { get; private set; } = [];

        public string Serial { get; private set; } = "";

        public int Attempts { get; private set; }

        /// <summary>The certificate was issued to an earlier request than the one it answered.</summary>
        public bool WasGivenAgain { get; private set; }

        public static async Task<Enrolling> WithTokenAsync(ApiClient api, string name, CancellationToken cancellation)
        {
            var given = await api.PostAsync($"hosts/{name}/token", new JsonObject(), cancellation);
            return new Enrolling(name, Text(given, "installation"), Text(given, "token"));
        }

        /// <summary>Asks until it has its certificate, as the program on a host does, but without its pauses.</summary>
        public async Task EnrolAsync(HttpClient http, CancellationToken cancellation)
        {
            while (true)
            {
                var asked = TimeProvider.System.GetUtcNow();
                Attempts++;
                try
                {
                    Certificate = await AskAsync(http, cancellation);
                    using var certificate = X509CertificateLoader.LoadCertificate(Certificate);
                    Assert.Equal($"CN={name}", certificate.Subject);
                    Serial = Convert.ToHexStringLower(certificate.SerialNumberBytes.Span.TrimStart((byte)0));
                    // It begins five minutes before it was made, cut to the second.
                    WasGivenAgain = certificate.NotBefore.ToUniversalTime() + TimeSpan.FromMinutes(5) + TimeSpan.FromSeconds(1) < asked.UtcDateTime;
                    return;
                }
                catch (Exception e) when (e is HttpRequestException or IOException || e is OperationCanceledException && !cancellation.IsCancellationRequested)
                {
                    await Task.Delay(100, cancellation);
                }
            }
        }

        /// <exception cref="HttpRequestException">There was no answer, or one that asks for patience.</exception>
        public async Task<byte[]> AskAsync(HttpClient http, CancellationToken cancellation)
        {
            using var message = new HttpRequestMessage(HttpMethod.Post, "/.well-known/est/simpleenroll");
            message.Headers.ConnectionClose = true;
            message.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.ASCII.GetBytes($"{installation}:{token}")));
            message.Content = new StringContent(request, Encoding.ASCII);
            message.Content.Headers.ContentType = new MediaTypeHeaderValue(EstMediaTypes.CertificationRequest);
            using var answer = await http.SendAsync(message, cancellation);
            var body = await answer.Content.ReadAsStringAsync(cancellation);
            // A refusal is final, and there must be none.
            Assert.False((int)answer.StatusCode is >= 300 and < 500, $"{name}: {(int)answer.StatusCode} {body}");
            answer.EnsureSuccessStatusCode();
            var certificates = new X509Certificate2Collection();
#pragma warning disable SYSLIB0057 // X509CertificateLoader reads no PKCS#7, and these bytes are our own.
            certificates.Import(Convert.FromBase64String(body));
#pragma warning restore SYSLIB0057
            return certificates[0].RawData;
        }

        private static string RequestOf(string name)
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var asking = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
            var names = new SubjectAlternativeNameBuilder();
            names.AddDnsName(name);
            asking.CertificateExtensions.Add(names.Build());
            return Convert.ToBase64String(asking.CreateSigningRequest());
        }
    }
}
