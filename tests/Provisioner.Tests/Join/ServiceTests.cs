using System.Security.Cryptography.X509Certificates;
using Provisioner.Certificates;
using Provisioner.Tests.Certificates;

namespace Provisioner.Tests.Join;

/// <summary>The host's program against the service itself: that the two mean the same by each address, status and word.</summary>
public sealed class ServiceTests
{
    [Theory]
    [InlineData("dash")]
    [InlineData("busybox")]
    [InlineData("bullseye")]
    public async Task A_host_enrols_renews_follows_a_rotation_and_is_told_of_its_revocation(string distribution)
    {
        await using var site = await CertificateFixture.StartAsync();
        await using var host = await InstallAsync(site, distribution);

        var run = await host.RunAsync("enrol", "--attempts", "1");
        Assert.True(run.Exit == 0, run.Said);
        host.AssertPair();
        using var first = host.LoadCertificate();
        Assert.Equal(first.RawData, site.Recorded(first).Der);
        Assert.False(File.Exists(host.Token));
        AssertReported(site, succeeded: true, $"enrolled, good until {first.NotAfter.ToUniversalTime():yyyy-MM-ddTHH:mm:ssZ}");
        run = await host.RunAsync("check");
        Assert.True(run.Exit == 0 && run.Said.Contains("is good until", StringComparison.Ordinal), run.Said);

        run = await host.RunAsync("renew", "--now");
        Assert.True(run.Exit == 0, run.Said);
        host.AssertPair();
        using var second = host.LoadCertificate();
        Assert.Equal(site.Recorded(first).Serial, site.Recorded(second).Renews);
        AssertReported(site, succeeded: true, "renewed, good until");

        // Asked, and told that nothing is due: at the moment that the service itself has in mind.
        run = await LaterAsync(host);
        Assert.True(run.Exit == 0, run.Said);
        Assert.Contains($"will be renewed after {RenewalPlan.For(site.Recorded(second), site.Appliance.Snapshot).RenewAfter.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}", run.Said, StringComparison.Ordinal);
        Assert.Equal(second.Thumbprint, host.LoadCertificate().Thumbprint);

        // The next authority is known to the host before it signs anything.
        var old = site.Appliance.Snapshot.IssuingAuthority!;
        (await site.Appliance.RunAsync("ca", "rotate")).Succeeded();
        run = await LaterAsync(host);
        Assert.True(run.Exit == 0 && run.Said.Contains("has changed its authorities", StringComparison.Ordinal), run.Said);
        Assert.Equal(Trusted(site), Pinned(host));
        Assert.Equal(2, Trusted(site).Count);
        Assert.Equal(second.Thumbprint, host.LoadCertificate().Thumbprint);

        (await site.Appliance.RunAsync("ca", "rotate", "--over", "0s")).Succeeded();
        run = await LaterAsync(host);
        Assert.True(run.Exit == 0 && run.Said.Contains("the appliance asks for it (its authority is being replaced by another)", StringComparison.Ordinal), run.Said);
        using var third = host.LoadCertificate();
        Assert.Equal(site.Appliance.Snapshot.IssuingAuthority!.Id, site.Recorded(third).Authority);
        host.AssertPair();

        // The old one goes, and the host forgets it as well.
        Assert.Contains("is retired", (await site.Appliance.RunAsync("ca", "rotate")).Succeeded(), StringComparison.Ordinal);
        Assert.Equal(AuthorityState.Retired, site.Appliance.Snapshot.Authorities[old.Id].State);
        run = await LaterAsync(host);
        Assert.True(run.Exit == 0, run.Said);
        Assert.Equal(Trusted(site), Pinned(host));
        Assert.Equal([site.Appliance.Snapshot.IssuingAuthority!.Der!], Pinned(host));

        (await site.Appliance.RunAsync("ca", "revoke", JoinHost.HostName, "--reason", "keyCompromise")).Succeeded();
        run = await host.RunAsync("renew", "--now");
        Assert.Equal(1, run.Exit);
        Assert.Contains("The appliance does not accept this host's certificate (HTTP 403): the certificate was revoked at", run.Said, StringComparison.Ordinal);
        Assert.Contains("The renewal failed (attempt 1)", run.Said, StringComparison.Ordinal);
        Assert.Contains("The appliance refuses (HTTP 403): ", run.Said, StringComparison.Ordinal);
        Assert.Equal(third.Thumbprint, host.LoadCertificate().Thumbprint);
        // The host's own report is not taken any more, but its refusal is known.
        AssertReported(site, succeeded: false, "refused: ", "revoked");
        Assert.Contains("revoked", (await host.RunAsync("check")).Said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("dash")]
    [InlineData("bullseye")]
    public async Task An_answer_that_was_lost_is_had_again_and_a_spent_token_is_refused_with_the_reason(string distribution)
    {
        await using var site = await CertificateFixture.StartAsync();
        await using var host = await InstallAsync(site, distribution);
        var token = await File.ReadAllTextAsync(host.Token);
        // Without an appliance there, the key and the request remain.
        var configuration = await File.ReadAllTextAsync(host.Configuration);
        await File.WriteAllTextAsync(host.Configuration, configuration.Replace($":{site.Appliance.SecurePort}", ":1", StringComparison.Ordinal));
        Assert.Equal(1, (await host.RunAsync("enrol", "--attempts", "1")).Exit);
        await File.WriteAllTextAsync(host.Configuration, configuration);
        var (key, request) = (await File.ReadAllBytesAsync(host.File("etc/iam/pki/server.key.new")), await File.ReadAllBytesAsync(host.File("etc/iam/pki/server.csr")));
        var run = await host.RunAsync("enrol", "--attempts", "1");
        Assert.True(run.Exit == 0, run.Said);
        using var certificate = host.LoadCertificate();

        // As after a power cut that undid everything since the request was written.
        Directory.Delete(host.File("etc/iam/pki"), recursive: true);
        Directory.CreateDirectory(host.File("etc/iam/pki"));
        await File.WriteAllBytesAsync(host.File("etc/iam/pki/server.key.new"), key);
        await File.WriteAllBytesAsync(host.File("etc/iam/pki/server.csr"), request);
        await File.WriteAllTextAsync(host.Token, token);
        run = await host.RunAsync("enrol", "--attempts", "1");
        Assert.True(run.Exit == 0, run.Said);
        Assert.Equal(certificate.Thumbprint, host.LoadCertificate().Thumbprint);

        // With another key it is somebody else's.
        Directory.Delete(host.File("etc/iam/pki"), recursive: true);
        await File.WriteAllTextAsync(host.Token, token);
        run = await host.RunAsync("enrol");
        Assert.Equal(1, run.Exit);
        Assert.Contains("(HTTP 403): ", run.Said, StringComparison.Ordinal);
        Assert.Contains("token", run.Said[run.Said.IndexOf("(HTTP 403)", StringComparison.Ordinal)..], StringComparison.Ordinal);
        Assert.DoesNotContain(token.Trim(), run.Said, StringComparison.Ordinal);
        Assert.Empty(host.Slept);
        Assert.Single(site.Appliance.Snapshot.CertificatesOf(JoinHost.HostName));
    }

    /// <summary>A host as its installation leaves it, by the appliance's address.</summary>
    private static async Task<JoinHost> InstallAsync(CertificateFixture site, string distribution)
    {
        await site.RegisterAsync(JoinHost.HostName);
        var token = await site.TokenAsync(JoinHost.HostName);
        using var authority = X509CertificateLoader.LoadCertificate(site.Appliance.Snapshot.IssuingAuthority!.Der!);
        return new JoinHost(distribution, $"https://127.0.0.1:{site.Appliance.SecurePort}", authority, token.Installation, token.Token);
    }

    // On another day: it asks the appliance once a day.
    private static Task<Run> LaterAsync(JoinHost host)
    {
        host.SetState("checked", 0);
        return host.RunAsync("renew");
    }

    private static List<byte[]> Trusted(CertificateFixture site) => [.. CertificateAuthority.Trusted(site.Appliance.Snapshot).OrderBy(Convert.ToHexString)];

    private static List<byte[]> Pinned(JoinHost host)
    {
        var pinned = new X509Certificate2Collection();
        pinned.ImportFromPemFile(host.Pinned);
        return [.. pinned.Select(c => c.RawData).OrderBy(Convert.ToHexString)];
    }

    private static void AssertReported(CertificateFixture site, bool succeeded, params string[] said)
    {
        var report = site.Appliance.Snapshot.HostReports[JoinHost.HostName];
        Assert.True(report.Succeeded == succeeded && said.All(part => report.Message.Contains(part, StringComparison.Ordinal)), report.ToString());
    }
}
