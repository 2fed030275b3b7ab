using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Provisioner.Certificates;
using Provisioner.Events;
using Provisioner.Storage;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Certificates;

/// <summary>A running appliance whose time the test moves, and hosts that enrol with it.</summary>
internal sealed class CertificateFixture : IAsyncDisposable
{
    private CertificateFixture(RunningAppliance appliance, FakeTimeProvider time, StandingClock clock)
    {
        Appliance = appliance;
        Time = time;
        Clock = clock;
    }

    public RunningAppliance Appliance { get; private set; }

    public FakeTimeProvider Time { get; }

    public StandingClock Clock { get; }

    public TemporaryDirectory? Directory { get; init; }

    public CertificateOptions? Options { get; init; }

    public Action<IServiceCollection>? Services { get; init; }

    public DateTimeOffset Now => Time.GetUtcNow();

    public static async Task<CertificateFixture> StartAsync(CertificateOptions? options = null, Action<IServiceCollection>? services = null)
    {
        // Near to real time, because TLS between the two does not know of another.
        var time = new FakeTimeProvider(DateTimeOffset.FromUnixTimeSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds()));
        var (clock, directory) = (new StandingClock(), new TemporaryDirectory());
        return new CertificateFixture(await RunningAppliance.StartAsync(directory, options, time, clock, more: services), time, clock) { Directory = directory, Options = options, Services = services };
    }

    /// <summary>Lets days pass without a timer that rings: some do many times a second, and a month of that takes seconds.</summary>
    public void Pass(TimeSpan length) => Time.AdjustTime(Now + length);

    /// <summary>The same for clients that come by TLS afterwards: the appliance's own certificate is made anew, as it would have been meanwhile.</summary>
    public Task PassAsync(TimeSpan length)
    {
        Pass(length);
        return Appliance.Services.GetRequiredService<ServerIdentity>().RefreshAsync(default);
    }

    /// <param name="after">For so long it is off.</param>
    public async Task RestartAsync(TimeSpan after = default)
    {
        await Appliance.DisposeAsync();
        Pass(after);
        Appliance = await RunningAppliance.StartAsync(Directory, Options, Time, Clock, more: Services);
    }

    public async ValueTask DisposeAsync()
    {
        await Appliance.DisposeAsync();
        Directory!.Dispose();
    }

    /// <summary>Registers hosts of these names.</summary>
    public async Task RegisterAsync(params string[] names)
    {
        await Appliance.Writer.ChangeAsync(editor =>
        {
            foreach (var name in names)
            {
                editor.Put(new Provisioner.Hosts.Host(new Provisioner.Resources.Metadata(name), new Provisioner.Hosts.HostSpec
                {
                    MacAddresses = [new Protocols.MacAddress(0x5254_0000_0000UL + (ulong)editor.Snapshot.Hosts.Count)],
                    Architecture = Provisioner.Boot.CpuArchitecture.X64,
                }));
            }
            return 0;
        });
    }

    public async Task<GivenToken> TokenAsync(string host, TimeSpan? window = null)
    {
        var body = window is { } length ? $$"""{"window": "{{Provisioner.Resources.Values.Format(length)}}"}""" : "{}";
        var (status, given) = await Appliance.SendAsync(HttpMethod.Post, $"hosts/{host}/token", new StringContent(body));
        Assert.True(status == 200, given.ToJsonString());
        return new GivenToken(given["installation"]!.GetValue<string>(), given["token"]!.GetValue<string>());
    }

    /// <summary>A registered host with its first certificate.</summary>
    public async Task<X509Certificate2> EnrolAsync(string host, ECDsa? key = null)
    {
        if (!Appliance.Snapshot.Hosts.ContainsKey(host))
            await RegisterAsync(host);
        key ??= ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var answer = await new EstClient(Appliance).EnrolAsync(await TokenAsync(host), EstClient.Request(key, host));
        return answer.Certificate().CopyWithPrivateKey(key);
    }

    public Task<EstAnswer> RenewAsync(X509Certificate2 with, string host) =>
        new EstClient(Appliance, with).RenewAsync(EstClient.Request(with.GetECDsaPrivateKey()!, host));

    public async Task<JsonObject> PostAsync(string path, string body = "{}")
    {
        var (status, answer) = await Appliance.SendAsync(HttpMethod.Post, path, new StringContent(body));
        Assert.True(status == 200, answer.ToJsonString());
        return answer;
    }

    /// <summary>The events so far that the boot journal's delay lets through, once one matches.</summary>
    public async Task<IReadOnlyList<Event>> EventsUntilAsync(Func<Event, bool> wanted)
    {
        IReadOnlyList<Event> found = [];
        for (var i = 0; i < 200; i++)
        {
            // The journal waits a moment of the appliance's time for more to store at once.
            Time.Advance(TimeSpan.FromMilliseconds(100));
            found = Appliance.EventLog.Find(new EventQuery { Limit = 10_000 });
            if (found.Any(wanted))
                return found;
            await Task.Delay(20);
        }
        Assert.Fail("no such event among:\n" + string.Join('\n', found.Select(e => $"{e.Outcome} {e.Host} {e.What}: {e.Reason}")));
        return found;
    }

    public Certificate Recorded(X509Certificate2 certificate) =>
        Appliance.Snapshot.Certificates[Convert.ToHexStringLower(certificate.SerialNumberBytes.Span.TrimStart((byte)0))];
}
