using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Provisioner.Aws;
using Provisioner.Aws.Credentials;
using Provisioner.AwsDoubles;
using Provisioner.Clusters;
using Provisioner.Profiles;
using Provisioner.Resources;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Aws;

/// <summary>An appliance, an AWS account with an EKS cluster, and a host that is to join it.</summary>
internal sealed class AwsSite : IAsyncDisposable
{
    public const string Cluster = """
        apiVersion: provisioner/v1
        kind: Cluster
        metadata: { name: prod }
        spec: { region: eu-west-1, kubernetesVersion: "1.34", remoteNodeNetworks: [10.77.0.0/16], remotePodNetworks: [10.85.0.0/16] }
        """;

    private readonly TemporaryDirectory directory = new();

    private AwsSite(AwsDouble aws, FakeTimeProvider? time) => (Aws, Time) = (aws, time);

    public AwsDouble Aws { get; }

    public AwsAccount Account => Aws.Account;

    public FakeTimeProvider? Time { get; }

    public RunningAppliance Appliance { get; private set; } = null!;

    public Cluster Prod => Appliance.Snapshot.Clusters["prod"];

    public T Service<T>()
        where T : notnull => Appliance.Services.GetRequiredService<T>();

    /// <summary>With somebody's credentials who may do everything; nothing is set up yet.</summary>
    /// <param name="isTimeFake">Time stands still until the test moves it.</param>
    public static async Task<AwsSite> StartAsync(bool isTimeFake = false, string cluster = Cluster)
    {
        // Near to real time, because the AWS SDK's own clients know of no other.
        var time = isTimeFake ? new FakeTimeProvider(DateTimeOffset.FromUnixTimeSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds())) : null;
        var site = new AwsSite(await AwsDouble.StartAsync(time), time);
        site.Account.AddCluster("prod");
        var administrator = site.Account.Administrator();
        site.Appliance = await site.BeginAsync(new AwsOptions(), new GivenCredentials(new AwsKeys(administrator.AccessKeyId, administrator.SecretAccessKey, null, null)));
        var (status, answer) = await site.Appliance.ApplyAsync(cluster);
        Assert.True(status == 200, answer.ToJsonString());
        await site.Appliance.Writer.ChangeAsync(editor =>
        {
            editor.Put(new Profile(new Metadata("worker"), new ProfileSpec { Image = "debian-12", Cluster = "prod" }));
            return 0;
        });
        await site.RegisterAsync("web-1");
        return site;
    }

    /// <summary>The same, set up by 'aws apply'.</summary>
    public static async Task<AwsSite> StartSetUpAsync(bool isTimeFake = false)
    {
        var site = await StartAsync(isTimeFake);
        (await site.Appliance.RunAsync("aws", "apply", "prod")).Succeeded();
        return site;
    }

    /// <summary>The service again, as the configuration that 'aws apply' printed has it: with credentials of its own.</summary>
    public async Task UseOwnCredentialsAsync(Provisioner.Backup.BackupOptions? backup = null)
    {
        await Appliance.DisposeAsync();
        Appliance = await BeginAsync(OwnCredentials(), null, backup);
    }

    public AwsOptions OwnCredentials() => new()
    {
        Credentials = AwsCredentialsKind.RolesAnywhere,
        TrustAnchorArn = Account.Anchors.Values.Single().Arn,
        ProfileArn = Account.Profiles.Values.Single(p => p.Name.EndsWith("-appliance", StringComparison.Ordinal)).Arn,
        RoleArn = Account.Roles["provisioner-prod-appliance"].Arn,
    };

    public async Task RegisterAsync(string name, string? address = null) => await Appliance.Writer.ChangeAsync(editor =>
    {
        editor.Put(new Provisioner.Hosts.Host(new Metadata(name), new Provisioner.Hosts.HostSpec
        {
            MacAddresses = [new Protocols.MacAddress(0x5254_0000_0000UL + (ulong)editor.Snapshot.Hosts.Count)],
            Architecture = Provisioner.Boot.CpuArchitecture.X64,
            Profile = "worker",
            Address = address is null ? null : Protocols.Ipv4Address.Parse(address),
        }));
        return 0;
    });

    /// <summary>A certificate for the host, as enrolment gives it.</summary>
    public async Task<(X509Certificate2 Certificate, ECDsa Key)> EnrolAsync(string host)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var authority = Service<Provisioner.Certificates.CertificateAuthority>();
        var made = authority.SignerOf(Appliance.Snapshot.IssuingAuthority!).IssueHost(host, key.ExportSubjectPublicKeyInfo(), Appliance.Now, TimeSpan.FromDays(90));
        await Appliance.Writer.ChangeAsync(editor => { editor.Put(made); return 0; });
        return (X509CertificateLoader.LoadCertificate(made.Der), key);
    }

    /// <summary>CreateSession as the host's signing helper asks.</summary>
    public Task<AwsKeys> SessionAsync((X509Certificate2 Certificate, ECDsa Key) identity, string? name = "web-1") =>
        Service<SessionClient>().CreateSessionAsync(new SessionIdentity(identity.Certificate.RawData, identity.Certificate.SerialNumberBytes.ToArray(), identity.Key),
            Prod.Spec.TrustAnchorArn!, Prod.Spec.ProfileArn!, Prod.Spec.RoleArn!, name, 3600, default);

    /// <summary>Lets time pass in small steps until it is so.</summary>
    public async Task<TimeSpan> PassUntilAsync(Func<bool> holds, TimeSpan most, TimeSpan step)
    {
        var passed = TimeSpan.Zero;
        for (; passed <= most; passed += step)
        {
            // What the step woke has its own threads to run on.
            for (var i = 0; i < 20; i++)
            {
                if (holds())
                    return passed;
                await Task.Delay(10);
            }
            Time!.Advance(step);
        }
        Assert.Fail($"not within {most}");
        return passed;
    }

    public async ValueTask DisposeAsync()
    {
        await Appliance.DisposeAsync();
        await Aws.DisposeAsync();
        directory.Dispose();
    }

    private Task<RunningAppliance> BeginAsync(AwsOptions options, IAwsCredentials? credentials, Provisioner.Backup.BackupOptions? backup = null) =>
        RunningAppliance.StartAsync(directory, time: Time, aws: options with { Endpoint = Aws.Url.AbsoluteUri.TrimEnd('/') }, more: services =>
        {
            if (credentials is not null)
                services.AddSingleton(credentials);
        }, backup: backup);

    private sealed class GivenCredentials(AwsKeys keys) : IAwsCredentials
    {
        public bool IsConfigured => true;

        public ValueTask<AwsKeys> GetAsync(CancellationToken cancellation) => ValueTask.FromResult(keys);
    }
}
