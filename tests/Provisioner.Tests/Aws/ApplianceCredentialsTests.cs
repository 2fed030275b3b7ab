using System.Security.Cryptography.X509Certificates;
using Provisioner.Aws;
using Provisioner.Aws.Credentials;
using Provisioner.AwsDoubles;
using Provisioner.Certificates;
using Provisioner.Clusters;

namespace Provisioner.Tests.Aws;

/// <summary>The appliance's own way into AWS: by a certificate that it issues to itself.</summary>
public sealed class ApplianceCredentialsTests
{
    [Fact]
    public async Task It_gets_them_by_a_certificate_of_its_own_and_refreshes_them_before_they_end()
    {
        await using var site = await AwsSite.StartSetUpAsync(isTimeFake: true);
        await site.UseOwnCredentialsAsync();
        var credentials = site.Service<IAwsCredentials>();
        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => credentials.GetAsync(default).AsTask()));
        int Sessions() => site.Aws.Operations.Count(o => o == SessionClient.Operation);
        Assert.Equal(1, Sessions());

        var first = await credentials.GetAsync(default);
        var certificate = site.Appliance.Snapshot.Certificates.Values.Single(c => c.Host == "appliance@provisioner");
        Assert.Equal(CertificatePurpose.Appliance, certificate.Purpose);
        using (var der = X509CertificateLoader.LoadCertificate(certificate.Der))
            Assert.Equal("appliance@provisioner", der.GetNameInfo(X509NameType.SimpleName, forIssuer: false));
        Assert.Equal("provisioner-prod-appliance", site.Account.Keys[first.AccessKeyId].Role!.Name);

        site.Time!.AdjustTime(site.Time.GetUtcNow() + TimeSpan.FromMinutes(44));
        Assert.Same(first, await credentials.GetAsync(default));
        site.Time.AdjustTime(site.Time.GetUtcNow() + TimeSpan.FromMinutes(2));
        var both = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => credentials.GetAsync(default).AsTask()));
        Assert.All(both, keys => Assert.NotEqual(first.AccessKeyId, keys.AccessKeyId));
        Assert.Equal(2, Sessions());
        Assert.Single(site.Appliance.Snapshot.Certificates.Values, c => c.Host == "appliance@provisioner");

        // While AWS is away the old ones are used as long as they last, and it is asked now and then, not by everybody.
        site.Aws.Fault = o => o == SessionClient.Operation ? new AwsRefusal(503, "ServiceUnavailable", "away") : null;
        site.Time.AdjustTime(site.Time.GetUtcNow() + TimeSpan.FromMinutes(50));
        for (var i = 0; i < 5; i++)
            Assert.Equal(both[0].AccessKeyId, (await credentials.GetAsync(default)).AccessKeyId);
        Assert.Equal(3, Sessions());
        site.Time.AdjustTime(site.Time.GetUtcNow() + TimeSpan.FromMinutes(10));
        var none = await Assert.ThrowsAsync<NoAwsCredentialsException>(() => credentials.GetAsync(default).AsTask());
        Assert.Contains("away", none.Message, StringComparison.Ordinal);
        site.Aws.Fault = null;

        // A day later its certificate has been renewed as well.
        site.Time.AdjustTime(site.Time.GetUtcNow() + TimeSpan.FromHours(23));
        await credentials.GetAsync(default);
        Assert.Equal(2, site.Appliance.Snapshot.Certificates.Values.Count(c => c.Host == "appliance@provisioner"));
    }

    [Fact]
    public async Task For_the_first_set_up_those_of_the_environment_do()
    {
        try
        {
            Environment.SetEnvironmentVariable("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE");
            Environment.SetEnvironmentVariable("AWS_SECRET_ACCESS_KEY", "not-a-secret");
            Environment.SetEnvironmentVariable("AWS_SESSION_TOKEN", "token");
            Assert.Equal(new AwsKeys("AKIAEXAMPLE", "not-a-secret", "token", null), await new DefaultCredentials().GetAsync(default));
        }
        finally
        {
            foreach (var name in new[] { "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN" })
                Environment.SetEnvironmentVariable(name, null);
        }
    }

    [Fact]
    public async Task No_host_becomes_the_appliance()
    {
        await using var site = await AwsSite.StartSetUpAsync();
        var host = await site.EnrolAsync("web-1");
        var own = site.OwnCredentials();
        var refused = await Assert.ThrowsAsync<AwsException>(() => site.Service<SessionClient>().CreateSessionAsync(
            new SessionIdentity(host.Certificate.RawData, host.Certificate.SerialNumberBytes.ToArray(), host.Key), own.TrustAnchorArn!, own.ProfileArn!, own.RoleArn!, null, 3600, default));
        Assert.Contains("trust policy", refused.Message, StringComparison.Ordinal);
        Assert.Contains("sts:AssumeRole", (await Assert.ThrowsAsync<AwsException>(() => site.SessionAsync(host, "web-2"))).Message, StringComparison.Ordinal);
        await site.SessionAsync(host);
    }

    [Fact]
    public async Task A_cluster_takes_the_token_that_is_made_for_it_and_for_no_other()
    {
        await using var site = await AwsSite.StartSetUpAsync(isTimeFake: true);
        site.Account.AddCluster("other");
        await site.UseOwnCredentialsAsync();
        var clusters = site.Service<IClusterAccess>();

        var access = await clusters.GetAsync(site.Prod, default);
        Assert.Equal(new Uri("https://0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com"), access.Endpoint);
        Assert.Equal("CN=kubernetes", access.Authorities.Single().Subject);
        Assert.DoesNotContain(access.Token, access.ToString(), StringComparison.Ordinal);
        var identity = site.Aws.VerifyToken(access.Token, "prod");
        Assert.Equal(site.Account.Roles["provisioner-prod-appliance"].Arn, identity.RoleArn);
        Assert.Equal(["provisioner"], identity.Groups);
        Assert.Throws<AwsRefusal>(() => site.Aws.VerifyToken(access.Token, "other"));
        Assert.Throws<AwsRefusal>(() => site.Aws.VerifyToken(access.Token[..^4] + "AAAA", "prod"));

        // It is used for ten minutes; a cluster would take it for fifteen.
        site.Time!.AdjustTime(site.Time.GetUtcNow() + TimeSpan.FromMinutes(9));
        Assert.Same(access, await clusters.GetAsync(site.Prod, default));
        site.Time.AdjustTime(site.Time.GetUtcNow() + TimeSpan.FromMinutes(2));
        var next = await clusters.GetAsync(site.Prod, default);
        Assert.NotEqual(access.Token, next.Token);
        site.Aws.VerifyToken(next.Token, "prod");
        site.Time.AdjustTime(site.Time.GetUtcNow() + TimeSpan.FromMinutes(16));
        Assert.Throws<AwsRefusal>(() => site.Aws.VerifyToken(next.Token, "prod"));

        // Without endpoint and authority in the Cluster, EKS says them.
        var bare = site.Prod with { Spec = site.Prod.Spec with { Endpoint = null, CertificateAuthority = null, ServiceCidr = null } };
        Assert.Equal(access.Endpoint, (await clusters.GetAsync(bare, default)).Endpoint);
        var gone = bare with { Metadata = bare.Metadata with { Name = "gone" }, Spec = bare.Spec with { EksName = "gone" } };
        Assert.Contains("No cluster found", (await Assert.ThrowsAsync<ClusterAccessException>(() => clusters.GetAsync(gone, default).AsTask())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_credentials_it_says_how_to_get_them()
    {
        await using var appliance = await Appliance.RunningAppliance.StartAsync();
        await appliance.ApplyAsync(AwsSite.Cluster);
        foreach (var command in new[] { "apply", "check" })
        {
            var outcome = await appliance.RunAsync("aws", command, "prod");
            Assert.Equal(1, outcome.ExitCode);
            Assert.Contains("'aws.credentials'", outcome.Error + outcome.Output, StringComparison.Ordinal);
        }
        (await appliance.RunAsync("aws", "plan", "prod")).Succeeded();
    }
}
