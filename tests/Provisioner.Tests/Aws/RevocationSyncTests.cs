using Provisioner.Aws;
using Provisioner.Aws.Clients;
using Provisioner.AwsDoubles;
using Provisioner.Events;
using Provisioner.Storage;

namespace Provisioner.Tests.Aws;

/// <summary>Revocations reach Roles Anywhere, which asks nobody.</summary>
public sealed class RevocationSyncTests
{
    [Fact]
    public async Task A_revoked_host_is_refused_within_a_minute()
    {
        await using var site = await AwsSite.StartSetUpAsync(isTimeFake: true);
        await site.UseOwnCredentialsAsync();
        var host = await site.EnrolAsync("web-1");
        await site.SessionAsync(host);

        (await site.Appliance.RunAsync("retire", "web-1", "--force")).Succeeded();
        var serial = Convert.ToHexStringLower(host.Certificate.SerialNumberBytes.Span.TrimStart((byte)0));
        await site.PassUntilAsync(() => site.Account.Crls.Values.Any(c => RevocationList.Read(c.Pem).Serials.Contains(serial)), TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(1));

        Assert.Contains("revoked", (await Assert.ThrowsAsync<AwsException>(() => site.SessionAsync(host))).Message, StringComparison.Ordinal);
        Assert.Single(site.Account.Crls);
    }

    [Fact]
    public async Task What_fails_is_tried_again_less_and_less_often_and_somebody_is_called()
    {
        await using var site = await AwsSite.StartSetUpAsync(isTimeFake: true);
        await site.UseOwnCredentialsAsync();
        var host = await site.EnrolAsync("web-1");
        var alert = RevocationSync.AlertOf(site.Prod.Spec.TrustAnchorArn!);
        site.Aws.Fault = o => o == "rolesanywhere:UpdateCrl" ? AwsRefusal.Denied("not you") : null;
        var before = Updates();

        (await site.Appliance.RunAsync("retire", "web-1", "--force")).Succeeded();
        var called = await site.PassUntilAsync(() => site.Appliance.Snapshot.Alerts.ContainsKey(alert), TimeSpan.FromMinutes(10), TimeSpan.FromSeconds(5));
        Assert.InRange(called, TimeSpan.FromMinutes(3), TimeSpan.FromMinutes(8));
        Assert.InRange(Updates() - before, 4, 10);
        var raised = site.Appliance.Snapshot.Alerts[alert];
        Assert.Equal(AlertSeverity.Critical, raised.Severity);
        Assert.Contains("not you", raised.Message, StringComparison.Ordinal);
        await site.SessionAsync(host); // That is why somebody is called.

        site.Aws.Fault = null;
        await site.PassUntilAsync(() => !site.Appliance.Snapshot.Alerts.ContainsKey(alert), TimeSpan.FromMinutes(10), TimeSpan.FromSeconds(5));
        await Assert.ThrowsAsync<AwsException>(() => site.SessionAsync(host));

        int Updates() => site.Aws.Operations.Count(o => o == "rolesanywhere:UpdateCrl");
    }

    [Fact]
    public async Task While_authorities_change_both_lists_are_there_and_the_old_one_goes_with_its_authority()
    {
        await using var site = await AwsSite.StartSetUpAsync();
        await RotateAsync("prepare");
        Assert.Equal("changed", await StepAsync("trust anchor"));
        Assert.Equal(2, RolesAnywhereData.Certificates(new TrustAnchorDetail("", "", "", true, new Source("", new SourceData(site.Account.Anchors.Values.Single().Pem)))).Count);
        await RotateAsync("switch");
        Assert.Equal("unchanged", await StepAsync("trust anchor"));
        await UntilAsync(() => site.Account.Crls.Count == 2);
        await RotateAsync("retire");
        await UntilAsync(() => site.Account.Crls.Count == 1);
        Assert.Equal($"provisioner-{site.Appliance.Snapshot.IssuingAuthority!.Id}", site.Account.Crls.Values.Single().Name);
        Assert.Equal("changed", await StepAsync("trust anchor"));

        async Task RotateAsync(string step) => (await site.Appliance.RunAsync("ca", "rotate", "--step", step)).Succeeded();

        async Task<string> StepAsync(string step) => (await site.Appliance.RunAsync("aws", "apply", "prod")).Succeeded().Split('\n').Single(l => l.Contains($" {step}: ", StringComparison.Ordinal)).Split(' ')[0];

        static async Task UntilAsync(Func<bool> holds)
        {
            for (var i = 0; i < 500 && !holds(); i++)
                await Task.Delay(20);
            Assert.True(holds());
        }
    }

    [Fact]
    public async Task Without_credentials_somebody_is_called_once_there_is_something_to_carry()
    {
        await using var appliance = await Appliance.RunningAppliance.StartAsync();
        const string Anchor = "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/11111111-2222-3333-4444-555555555555";
        await appliance.ApplyAsync(AwsSite.Cluster.Replace("region: eu-west-1,", $"region: eu-west-1, trustAnchorArn: {Anchor},", StringComparison.Ordinal));
        var made = appliance.Services;
        Assert.DoesNotContain(RevocationSync.AlertOf(Anchor), appliance.Snapshot.Alerts.Keys);
        await appliance.Writer.ChangeAsync(editor =>
        {
            var authority = (Provisioner.Certificates.CertificateAuthority)made.GetService(typeof(Provisioner.Certificates.CertificateAuthority))!;
            using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
            var certificate = authority.SignerOf(editor.Snapshot.IssuingAuthority!).IssueHost("web-9", key.ExportSubjectPublicKeyInfo(), editor.Now, TimeSpan.FromDays(1));
            editor.Put(certificate with { RevokedAt = editor.Now });
            return 0;
        });
        for (var i = 0; i < 500 && !appliance.Snapshot.Alerts.ContainsKey(RevocationSync.AlertOf(Anchor)); i++)
            await Task.Delay(20);
        Assert.Contains("no AWS credentials", appliance.Snapshot.Alerts[RevocationSync.AlertOf(Anchor)].Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_is_seen_when_a_host_first_authenticates()
    {
        await using var site = await AwsSite.StartSetUpAsync(isTimeFake: true);
        await site.UseOwnCredentialsAsync();
        var (seen, other) = (await site.EnrolAsync("web-1"), await site.EnrolAsync("web-2"));
        var serial = Convert.ToHexStringLower(seen.Certificate.SerialNumberBytes.Span.TrimStart((byte)0));
        // Refused is not authenticated.
        await Assert.ThrowsAsync<AwsException>(() => site.SessionAsync(other, "web-1"));
        await site.SessionAsync(seen);
        var at = site.Time!.GetUtcNow();

        await site.PassUntilAsync(() => site.Appliance.Snapshot.Certificates[serial].SeenByAwsAt is not null, TimeSpan.FromMinutes(10), TimeSpan.FromSeconds(5));
        Assert.Equal(at, site.Appliance.Snapshot.Certificates[serial].SeenByAwsAt);
        Assert.Null(site.Appliance.Snapshot.GoodCertificateOf("web-2", site.Time.GetUtcNow())!.SeenByAwsAt);
        var events = site.Appliance.EventLog.Find(new EventQuery { Host = "web-1", Limit = 1000 });
        Assert.Single(events, e => e.What.StartsWith("Roles Anywhere let the host in for the first time", StringComparison.Ordinal));
    }
}
