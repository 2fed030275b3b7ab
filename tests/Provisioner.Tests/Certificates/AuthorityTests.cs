using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Provisioner.Appliance;
using Provisioner.Certificates;
using Provisioner.Certificates.Keys;
using Provisioner.Events;
using Provisioner.Storage;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Certificates;

public sealed class AuthorityTests
{
    [Theory]
    [InlineData(KeyAlgorithm.EcP256, "sha256ECDSA")]
    [InlineData(KeyAlgorithm.EcP384, "sha384ECDSA")]
    [InlineData(KeyAlgorithm.Rsa3072, "sha256RSA")]
    public async Task The_first_start_makes_an_authority_that_can_be_a_trust_anchor(KeyAlgorithm algorithm, string signature)
    {
        await using var site = await CertificateFixture.StartAsync(new CertificateOptions { Algorithm = algorithm });
        var authority = site.Appliance.Snapshot.IssuingAuthority!;
        using var certificate = X509CertificateLoader.LoadCertificate(authority.Der!);
        Assert.Equal(3, certificate.Version);
        Assert.Equal(signature, certificate.SignatureAlgorithm.FriendlyName);
        Assert.Equal(certificate.Subject, certificate.Issuer);
        var basic = certificate.Extensions.OfType<X509BasicConstraintsExtension>().Single();
        Assert.True(basic is { Critical: true, CertificateAuthority: true });
        Assert.Equal(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, certificate.Extensions.OfType<X509KeyUsageExtension>().Single().KeyUsages);
        using var host = await site.EnrolAsync("web-1");
        Assert.Equal(signature, host.SignatureAlgorithm.FriendlyName);
        // The same authority after a restart, with its key opened again.
        await site.RestartAsync();
        Assert.Equal(authority.Der, site.Appliance.Snapshot.IssuingAuthority!.Der);
        using var renewed = (await site.RenewAsync(host, "web-1")).Certificate();
        Assert.Equal(certificate.SubjectName.RawData, renewed.IssuerName.RawData);
    }

    [Fact]
    public async Task The_key_is_encrypted_and_a_start_without_its_passphrase_is_refused()
    {
        await using var site = await CertificateFixture.StartAsync();
        var passphrase = Path.Combine(site.Directory!.Path, "ca", "passphrase");
        var key = Assert.Single(Directory.GetFiles(Path.Combine(site.Directory.Path, "ca", "keys")));
        Assert.StartsWith("-----BEGIN ENCRYPTED PRIVATE KEY-----", await File.ReadAllTextAsync(key), StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(key));
        var secret = await File.ReadAllTextAsync(passphrase);
        await site.Appliance.DisposeAsync();

        File.Delete(passphrase);
        Assert.Contains("is missing, and without it the CA's key cannot be opened", (await Refused(site)).Message, StringComparison.Ordinal);
        await File.WriteAllTextAsync(passphrase, "another\n");
        Assert.Contains("is open to others", (await Refused(site)).Message, StringComparison.Ordinal);
        File.SetUnixFileMode(passphrase, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var wrong = await Refused(site);
        Assert.Contains("is not opened by the passphrase", wrong.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("another\n", wrong.Message, StringComparison.Ordinal);
        await File.WriteAllTextAsync(passphrase, secret);
        File.Delete(key);
        Assert.Contains("Bring it back from a backup", (await Refused(site)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_right_clock_the_first_authority_waits()
    {
        var clock = new StandingClock { Status = new(false, "the clock is not synchronised") };
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var appliance = await RunningAppliance.StartAsync(clock: clock, time: time);
        Assert.Empty(appliance.Snapshot.Authorities);
        await Assert.ThrowsAsync<HttpRequestException>(() => new EstClient(appliance).GetAsync("/.well-known/est/cacerts"));
        Assert.Contains("No certificates are issued: the clock is not synchronised", (await appliance.RunAsync("ca", "show")).Succeeded(), StringComparison.Ordinal);
        clock.Status = new(true, "now it is");
        for (var i = 0; i < 100 && appliance.Services.GetRequiredService<ServerIdentity>().Context is null; i++)
        {
            time.Advance(TimeSpan.FromSeconds(10));
            await Task.Delay(50);
        }
        Assert.Single((await new EstClient(appliance).GetAsync("/.well-known/est/cacerts")).Certificates());
    }

    [Fact]
    public async Task Revoking_puts_a_certificate_on_the_list_at_once_with_number_and_reason()
    {
        await using var site = await CertificateFixture.StartAsync();
        using var one = await site.EnrolAsync("web-1");
        using var two = await site.EnrolAsync("web-2");
        var before = await ListAsync(site);
        Assert.Empty(before.Entries);
        var said = (await site.Appliance.RunAsync("ca", "revoke", "web-1", "--reason", "keyCompromise")).Succeeded();
        Assert.Contains($"Certificate {site.Recorded(one).Serial} of web-1 is revoked (keyCompromise).", said, StringComparison.Ordinal);
        var after = await ListAsync(site);
        Assert.True(after.Number > before.Number);
        Assert.Equal([(site.Recorded(one).Serial, X509RevocationReason.KeyCompromise)], after.Entries);
        Assert.True(Revokes(after, one));
        Assert.False(Revokes(after, two));
        // Again: nothing changes, and no alarm.
        Assert.Contains("nothing was changed", (await site.Appliance.RunAsync("ca", "revoke", "web-1")).Succeeded(), StringComparison.Ordinal);
        Assert.Contains("did you mean 'web-2'", (await site.Appliance.RunAsync("ca", "revoke", "web-22")).Error, StringComparison.Ordinal);
        await site.PostAsync("hosts/web-2/retire");
        Assert.Contains((site.Recorded(two).Serial, X509RevocationReason.CessationOfOperation), (await ListAsync(site)).Entries);
        Assert.Contains(site.Appliance.EventLog.Find(new EventQuery { Host = "web-1" }), e => e.What.EndsWith("revoked", StringComparison.Ordinal) && e.Actor is not null && e.Reason.StartsWith("keyCompromise", StringComparison.Ordinal));
        // Its number goes on after a restart.
        var number = (await ListAsync(site)).Number;
        await site.RestartAsync();
        var again = await ListAsync(site);
        Assert.True(again.Number > number);
        Assert.Equal(2, again.Entries.Count);
    }

    [Fact]
    public async Task The_list_is_made_anew_long_before_it_is_over()
    {
        await using var site = await CertificateFixture.StartAsync();
        var first = await ListAsync(site);
        Assert.Equal(RevocationLists.Lifetime, first.NextUpdate - first.ThisUpdate);
        for (var hours = 0; hours < 48; hours++)
        {
            site.Time.Advance(TimeSpan.FromHours(1));
            await Task.Delay(20);
        }
        RevocationList later = first;
        for (var i = 0; i < 100 && later.Number == first.Number; i++)
        {
            await Task.Delay(50);
            later = await ListAsync(site);
        }
        Assert.True(later.Number > first.Number && later.ThisUpdate > first.ThisUpdate);
    }

    [Fact]
    public async Task A_list_that_grows_near_what_Roles_Anywhere_takes_raises_an_alert_until_it_is_short_again()
    {
        await using var site = await CertificateFixture.StartAsync();
        var authority = site.Appliance.Snapshot.IssuingAuthority!;
        await RevokeManyAsync(2_000);
        Assert.DoesNotContain($"crl-size:{authority.Id}", site.Appliance.Snapshot.Alerts.Keys);
        await RevokeManyAsync(1_800);
        var alert = site.Appliance.Snapshot.Alerts[$"crl-size:{authority.Id}"];
        Assert.Equal(AlertSeverity.Warning, alert.Severity);
        Assert.Matches("has 2[4-9][0-9],[0-9]{3} bytes as PEM with 3800 entries; Roles Anywhere takes 300,000", alert.Message);
        var pem = (await site.Appliance.RunAsync("ca", "crl")).Succeeded();
        Assert.InRange(pem.Length, RevocationLists.MaximumBytes * 8 / 10, RevocationLists.MaximumBytes);
        // They end, and some time after it they leave the list.
        site.Pass(TimeSpan.FromDays(100));
        await site.Appliance.Services.GetRequiredService<RevocationLists>().RefreshAsync(force: true, default);
        Assert.Empty((await ListAsync(site)).Entries);
        Assert.DoesNotContain($"crl-size:{authority.Id}", site.Appliance.Snapshot.Alerts.Keys);

        async Task RevokeManyAsync(int count)
        {
            await site.Appliance.Writer.ChangeAsync(editor =>
            {
                for (var i = 0; i < count; i++)
                {
                    editor.Put(new Certificate
                    {
                        Serial = Convert.ToHexStringLower(CertificateProfiles.NewSerial()), Host = $"gone-{i}", Authority = authority.Id, IssuedAt = editor.Now, NotBefore = editor.Now,
                        NotAfter = editor.Now.AddDays(90), KeyHash = $"{editor.Snapshot.Certificates.Count}", Der = [1], RevokedAt = editor.Now, RevokedBecause = RevocationReason.CessationOfOperation,
                    });
                }
                return 0;
            });
            await site.Appliance.Services.GetRequiredService<RevocationLists>().RefreshAsync(force: false, default);
        }
    }

    [Fact]
    public async Task Rotation_keeps_two_authorities_live_moves_the_hosts_and_retires_the_old_one()
    {
        await using var site = await CertificateFixture.StartAsync();
        var hosts = new Dictionary<string, X509Certificate2>();
        for (var i = 0; i < 8; i++)
            hosts[$"web-{i}"] = await site.EnrolAsync($"web-{i}");
        var old = site.Appliance.Snapshot.IssuingAuthority!;
        // Only who trusts the old one: a host that was installed before.
        var pinned = X509CertificateLoader.LoadCertificate(old.Der!);

        Assert.Contains("signs nothing yet", (await site.Appliance.RunAsync("ca", "rotate")).Succeeded(), StringComparison.Ordinal);
        var revision = site.Appliance.Snapshot.Authorities;
        (await site.Appliance.RunAsync("ca", "rotate", "--step", "prepare")).Succeeded();
        Assert.Equal(revision, site.Appliance.Snapshot.Authorities);
        Assert.Equal(2, (await new EstClient(site.Appliance).GetAsync("/.well-known/est/cacerts")).Certificates().Count);
        Assert.Equal(old.Id, site.Recorded(await site.EnrolAsync("before")).Authority);

        await site.RestartAsync();
        Assert.Contains("The new authority signs from now on", (await site.Appliance.RunAsync("ca", "rotate", "--over", "10d")).Succeeded().ReplaceLineEndings(" "), StringComparison.Ordinal);
        var issuing = site.Appliance.Snapshot.IssuingAuthority!;
        Assert.NotEqual(old.Id, issuing.Id);
        Assert.Equal(issuing.Id, site.Recorded(await site.EnrolAsync("after")).Authority);
        // The server still shows what the old one signed, or hosts could not come to renew.
        Assert.Equal(pinned.SubjectName.RawData, ServerCertificate(site).IssuerName.RawData);
        Assert.NotNull(site.Appliance.Services.GetRequiredService<RevocationLists>().Of(old.Id));

        // Over the ten days the hosts are asked one after another, none at once.
        var due = hosts.Values.Select(c => RenewalPlan.For(site.Recorded(c), site.Appliance.Snapshot).RenewAfter).ToList();
        Assert.All(due, at => Assert.InRange(at, site.Now, site.Now + TimeSpan.FromDays(10)));
        Assert.True(due.Distinct().Count() == due.Count);
        (await site.Appliance.RunAsync("ca", "rotate", "--step", "pause")).Succeeded();
        Assert.All(hosts.Values, c => Assert.True(RenewalPlan.For(site.Recorded(c), site.Appliance.Snapshot).RenewAfter > site.Now + TimeSpan.FromDays(50)));
        await site.RestartAsync(after: TimeSpan.FromDays(3));
        (await site.Appliance.RunAsync("ca", "rotate", "--step", "resume")).Succeeded();
        Assert.Equal(due.Select(d => d + TimeSpan.FromDays(3)), hosts.Values.Select(c => RenewalPlan.For(site.Recorded(c), site.Appliance.Snapshot).RenewAfter));

        site.Pass(TimeSpan.FromDays(11));
        Assert.Contains("9 are left", (await site.Appliance.RunAsync("ca", "rotate")).Succeeded(), StringComparison.Ordinal);
        Assert.Contains("hosts have no certificate of the new authority yet", (await site.Appliance.RunAsync("ca", "rotate", "--step", "retire")).Error, StringComparison.Ordinal);
        foreach (var (name, certificate) in hosts)
        {
            Assert.Contains("renew=now", (await new EstClient(site.Appliance, certificate).GetAsync("/api/v1/self/renewal")).Body, StringComparison.Ordinal);
            Assert.Equal(issuing.Id, site.Recorded((await site.RenewAsync(certificate, name)).Certificate()).Authority);
        }
        await site.PostAsync("hosts/before/retire");
        Assert.Contains("is retired", (await site.Appliance.RunAsync("ca", "rotate")).Succeeded(), StringComparison.Ordinal);
        Assert.Equal(AuthorityState.Retired, site.Appliance.Snapshot.Authorities[old.Id].State);
        Assert.Equal(issuing.Der, Assert.Single((await new EstClient(site.Appliance).GetAsync("/.well-known/est/cacerts")).Certificates()).RawData);
        (await site.Appliance.RunAsync("ca", "rotate", "--step", "retire")).Succeeded();
        (await new EstClient(site.Appliance, hosts["web-1"]).RenewAsync(EstClient.Request(hosts["web-1"].GetECDsaPrivateKey()!, "web-1"))).AssertRefused(403, "was retired");
        Assert.Null(site.Appliance.Services.GetRequiredService<RevocationLists>().Of(old.Id));
    }

    [Fact]
    public async Task The_newest_certificate_is_the_one_issued_last_also_when_all_end_with_their_authority()
    {
        await using var site = await CertificateFixture.StartAsync(new CertificateOptions { AuthorityLifetime = TimeSpan.FromDays(400), CertificateLifetime = TimeSpan.FromDays(399) });
        using var first = await site.EnrolAsync("web-1");
        await site.RestartAsync(after: TimeSpan.FromDays(300));
        using var second = (await site.RenewAsync(first, "web-1")).Certificate().CopyWithPrivateKey(first.GetECDsaPrivateKey()!);
        site.Time.Advance(TimeSpan.FromHours(1));
        using var third = (await site.RenewAsync(second, "web-1")).Certificate();
        Assert.Equal(second.NotAfter, third.NotAfter);
        Assert.Equal(third.RawData, site.Appliance.Snapshot.GoodCertificateOf("web-1", site.Now)!.Der);
        await site.RestartAsync();
        Assert.Equal(third.RawData, site.Appliance.Snapshot.GoodCertificateOf("web-1", site.Now)!.Der);
    }

    [Fact]
    public async Task A_prepared_authority_can_be_given_up_and_hosts_that_are_left_can_be_shut_out()
    {
        await using var site = await CertificateFixture.StartAsync();
        using var host = await site.EnrolAsync("web-1");
        (await site.Appliance.RunAsync("ca", "rotate")).Succeeded();
        (await site.Appliance.RunAsync("ca", "rotate", "--step", "abort")).Succeeded();
        (await site.Appliance.RunAsync("ca", "rotate", "--step", "abort")).Succeeded();
        Assert.Contains("no next authority is prepared", (await site.Appliance.RunAsync("ca", "rotate", "--step", "switch")).Error, StringComparison.Ordinal);
        (await site.Appliance.RunAsync("ca", "rotate", "--step", "prepare", "--algorithm", "rsa3072")).Succeeded();
        (await site.Appliance.RunAsync("ca", "rotate", "--step", "switch", "--over", "0s")).Succeeded();
        Assert.Contains("hosts still move away", (await site.Appliance.RunAsync("ca", "rotate", "--step", "prepare")).Error, StringComparison.Ordinal);
        (await site.Appliance.RunAsync("ca", "rotate", "--step", "retire", "--force")).Succeeded();
        (await site.RenewAsync(host, "web-1")).AssertRefused(403, "the authority that signed the certificate was retired");
        Assert.Equal(KeyAlgorithm.Rsa3072, site.Appliance.Snapshot.IssuingAuthority!.Algorithm);
        using var again = await site.EnrolAsync("web-1");
        Assert.Equal("sha256RSA", again.SignatureAlgorithm.FriendlyName);
    }

    [Fact]
    public async Task A_corporate_root_signs_the_authority_and_its_chain_is_served()
    {
        await using var site = await CertificateFixture.StartAsync();
        using var host = await site.EnrolAsync("web-1");
        using var root = new Root();
        var request = (await site.Appliance.RunAsync("ca", "csr")).Succeeded();
        var issued = root.Sign(request);
        using var file = new TemporaryDirectory();
        async Task<CommandOutcome> Import(string pem)
        {
            await File.WriteAllTextAsync(file["ca.pem"], pem);
            return await site.Appliance.RunAsync("ca", "import", file["ca.pem"]);
        }

        Assert.Contains("its issuer", (await Import(issued)).Error, StringComparison.Ordinal);
        Assert.Contains("is not that of an authority", (await Import(root.Sign(request, authority: false) + root.Pem)).Error, StringComparison.Ordinal);
        Assert.Contains("is for a key of this appliance", (await Import(root.Pem)).Error, StringComparison.Ordinal);
        Assert.Contains("there is no certificate in it", (await Import("nothing")).Error, StringComparison.Ordinal);
        Assert.Contains("its subject is", (await Import(root.Sign(request, subject: "CN=Another") + root.Pem)).Error, StringComparison.Ordinal);
        Assert.Contains("is issuing, signed by another authority", (await Import(root.Pem + "\n# comment\n" + issued)).Succeeded(), StringComparison.Ordinal);

        var trusted = (await new EstClient(site.Appliance).GetAsync("/.well-known/est/cacerts")).Certificates();
        Assert.Equal([root.Certificate.Subject, root.Certificate.Subject], [trusted[0].Issuer, trusted[1].Subject]);
        // What was issued before goes on, what is issued now carries the chain, and both verify from the corporate root.
        var answer = (await site.RenewAsync(host, "web-1")).Certificates();
        Assert.Equal(["CN=web-1", trusted[0].Subject, root.Certificate.Subject], answer.Select(c => c.Subject));
        foreach (var leaf in new[] { host, answer[0] })
        {
            using var chain = new X509Chain();
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.CustomTrustStore.Add(root.Certificate);
            chain.ChainPolicy.ExtraStore.Add(trusted[0]);
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            Assert.True(chain.Build(leaf), string.Join(", ", chain.ChainStatus.Select(s => s.StatusInformation)));
        }

        // And a new key of the appliance's, signed by the root from the beginning.
        var next = (await site.Appliance.RunAsync("ca", "csr", "--next", "--algorithm", "p384")).Succeeded();
        Assert.Equal(KeyOf(next), KeyOf((await site.Appliance.RunAsync("ca", "csr", "--next")).Succeeded()));
        Assert.Contains("is next", (await Import(root.Sign(next, subject: "CN=Rack CA,O=Example") + root.Pem)).Succeeded(), StringComparison.Ordinal);
        (await site.Appliance.RunAsync("ca", "rotate")).Succeeded();
        Assert.Equal("CN=Rack CA, O=Example", (await site.EnrolAsync("web-2")).Issuer.Replace(",O", ", O", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Hosts_that_do_not_renew_are_named_at_30_14_and_3_days_with_the_reason()
    {
        await using var site = await CertificateFixture.StartAsync();
        using var one = await site.EnrolAsync("web-1");
        using var two = await site.EnrolAsync("web-2");
        var start = site.Now;
        // What the watch does in its own time, at the moments the test names.
        IReadOnlyList<Alert> At(double days)
        {
            var editor = new StateEditor(site.Appliance.Snapshot, start + TimeSpan.FromDays(days));
            CertificateWatch.Carry(editor);
            return [.. editor.Snapshot.Alerts.Values];
        }

        Assert.Empty(At(60.5));
        Assert.Equal(["expiry:web-1", "expiry:web-2"], At(62).Select(a => a.Id));
        Assert.Contains("The certificate of web-1 ends on", At(62)[0].Message, StringComparison.Ordinal);
        Assert.Contains("it has not asked since it was due", At(62)[0].Message, StringComparison.Ordinal);
        Assert.Equal([30, 14, 3, 3], new[] { 62.0, 77, 88, 95 }.Select(day => At(day)[0].Threshold));
        Assert.Equal([AlertSeverity.Warning, AlertSeverity.Warning, AlertSeverity.Critical, AlertSeverity.Critical], new[] { 62.0, 77, 88, 95 }.Select(day => At(day)[0].Severity));
        Assert.Contains("ended on", At(95)[0].Message, StringComparison.Ordinal);
        Assert.Contains("provisioner token web-1", At(95)[0].Remedy, StringComparison.Ordinal);

        await site.PassAsync(TimeSpan.FromDays(61));
        await new EstClient(site.Appliance, one).SendAsync(HttpMethod.Post, "/api/v1/self/report", """{"result":"failed","message":"no route to host"}""", "application/json");
        await site.RenewAsync(two, "web-2");
        site.Time.Advance(TimeSpan.FromDays(2));
        var raised = await site.EventsUntilAsync(e => e.Host == "web-1" && e.What.StartsWith("Fewer than 30 days", StringComparison.Ordinal));
        var alert = Assert.Single(site.Appliance.Snapshot.Alerts.Values);
        Assert.Contains("failed: no route to host", alert.Message, StringComparison.Ordinal);
        Assert.Single(raised, e => e.What.StartsWith("Fewer than 30 days", StringComparison.Ordinal));
        // It renews after all: the alert goes by itself.
        await site.RenewAsync(one, "web-1");
        Assert.Empty(site.Appliance.Snapshot.Alerts);
        // A host that was retired is nobody's worry.
        await site.PostAsync("hosts/web-1/retire");
        Assert.Equal(["expiry:web-2"], At(160).Select(a => a.Id));
    }

    [Fact]
    public async Task An_authority_that_ends_is_told_of_in_time_and_no_certificate_outlives_it()
    {
        await using var site = await CertificateFixture.StartAsync(new CertificateOptions { AuthorityLifetime = TimeSpan.FromDays(400) });
        var editor = new StateEditor(site.Appliance.Snapshot, site.Now + TimeSpan.FromDays(330));
        CertificateWatch.Carry(editor);
        var alert = Assert.Single(editor.Snapshot.Alerts.Values);
        Assert.Equal((AlertSeverity.Critical, 90), (alert.Severity, alert.Threshold));
        Assert.Contains("provisioner ca rotate", alert.Remedy, StringComparison.Ordinal);
        await site.RestartAsync(after: TimeSpan.FromDays(380));
        using var host = await site.EnrolAsync("web-1");
        Assert.Equal(site.Appliance.Snapshot.IssuingAuthority!.NotAfter, Validity.Of(host).NotAfter);
        site.Pass(TimeSpan.FromDays(21));
        Assert.Contains("the authority ended", site.Appliance.Services.GetRequiredService<CertificateAuthority>().WhyNotIssuing(site.Now), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Long_over_certificates_leave_the_database_and_stay_in_the_journal()
    {
        await using var site = await CertificateFixture.StartAsync();
        using var one = await site.EnrolAsync("web-1");
        var serial = site.Recorded(one).Serial;
        var editor = new StateEditor(site.Appliance.Snapshot, site.Now + TimeSpan.FromDays(119));
        CertificateWatch.Carry(editor);
        Assert.True(editor.Snapshot.Certificates.ContainsKey(serial));
        editor = new StateEditor(site.Appliance.Snapshot, site.Now + TimeSpan.FromDays(121));
        CertificateWatch.Carry(editor);
        Assert.False(editor.Snapshot.Certificates.ContainsKey(serial));
        Assert.Empty(editor.Snapshot.CertificatesOf("web-1"));
        Assert.Contains(serial, await File.ReadAllTextAsync(Path.Combine(site.Directory!.Path, "certificates.journal")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_lists_and_commands_say_what_there_is()
    {
        await using var site = await CertificateFixture.StartAsync();
        using var one = await site.EnrolAsync("web-1");
        var table = (await site.Appliance.RunAsync("get", "certificates")).Succeeded();
        Assert.Contains("web-1", table, StringComparison.Ordinal);
        Assert.Contains("good", table, StringComparison.Ordinal);
        Assert.Contains(site.Recorded(one).Serial, (await site.Appliance.RunAsync("get", "certificates", "web-1", "-o", "json")).Succeeded(), StringComparison.Ordinal);
        var whole = JsonNode.Parse((await site.Appliance.RunAsync("get", "certificate", site.Recorded(one).Serial, "-o", "json")).Succeeded())!;
        Assert.Equal(one.ExportCertificatePem(), whole["certificate"]!.GetValue<string>());
        Assert.Contains("no host and no certificate 'nope'", (await site.Appliance.RunAsync("get", "certificate", "nope")).Error, StringComparison.Ordinal);
        Assert.Contains("issuing", (await site.Appliance.RunAsync("get", "authorities")).Succeeded(), StringComparison.Ordinal);
        Assert.Contains("-----BEGIN CERTIFICATE-----", (await site.Appliance.RunAsync("ca", "show", "--pem")).Succeeded(), StringComparison.Ordinal);
        Assert.All((await site.Appliance.RunAsync("ca", "show")).Succeeded().Split('\n'), line => Assert.True(line.Length <= 80, line));
        Assert.Equal(2, (await site.Appliance.RunAsync("ca", "revoke", "web-1", "--reason", "boredom")).ExitCode);
        Assert.Contains("good until", (await site.Appliance.RunAsync("delete", "host", "web-1")).Error, StringComparison.Ordinal);
    }

    private static async Task<Exception> Refused(CertificateFixture site)
    {
        var refused = await Assert.ThrowsAnyAsync<Exception>(() => RunningAppliance.StartAsync(site.Directory, site.Options, site.Time, site.Clock));
        return StartRefusedException.Explain(refused) is { } explained ? new StartRefusedException(explained) : refused;
    }

    private static byte[] KeyOf(string request) =>
        CertificateRequest.LoadSigningRequestPem(request, HashAlgorithmName.SHA384).PublicKey.ExportSubjectPublicKeyInfo();

    private static X509Certificate2 ServerCertificate(CertificateFixture site) => site.Appliance.Services.GetRequiredService<ServerIdentity>().Context!.TargetCertificate;

    private sealed record RevocationList(byte[] Der, long Number, DateTimeOffset ThisUpdate, DateTimeOffset NextUpdate, IReadOnlyList<(string Serial, X509RevocationReason Reason)> Entries);

    // Read by the letter of RFC 5280 §5.1, not by what wrote it.
    private static async Task<RevocationList> ListAsync(CertificateFixture site)
    {
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{site.Appliance.BootPort}") };
        var der = await http.GetByteArrayAsync("/crl");
        var list = new AsnReader(der, AsnEncodingRules.DER).ReadSequence().ReadSequence();
        Assert.Equal(1, (int)list.ReadInteger());
        list.ReadSequence();
        list.ReadSequence();
        var (thisUpdate, nextUpdate) = (list.ReadUtcTime(), list.ReadUtcTime());
        var entries = new List<(string, X509RevocationReason)>();
        if (list.PeekTag().HasSameClassAndValue(Asn1Tag.Sequence))
        {
            for (var all = list.ReadSequence(); all.HasData;)
            {
                var entry = all.ReadSequence();
                var octets = entry.ReadIntegerBytes();
                Assert.True(octets.Span[0] < 0x80, "a negative serial");
                var serial = Convert.ToHexStringLower(octets.Span.TrimStart((byte)0));
                entry.ReadUtcTime();
                var reason = X509RevocationReason.Unspecified;
                if (entry.HasData)
                {
                    var extension = entry.ReadSequence().ReadSequence();
                    Assert.Equal("2.5.29.21", extension.ReadObjectIdentifier());
                    reason = new AsnReader(extension.ReadOctetString(), AsnEncodingRules.DER).ReadEnumeratedValue<X509RevocationReason>();
                }
                entries.Add((serial, reason));
            }
        }
        var extensions = list.ReadSequence(new Asn1Tag(TagClass.ContextSpecific, 0)).ReadSequence();
        long? number = null;
        while (extensions.HasData)
        {
            var extension = extensions.ReadSequence();
            if (extension.ReadObjectIdentifier() == "2.5.29.20")
                number = (long)new AsnReader(extension.ReadOctetString(), AsnEncodingRules.DER).ReadInteger();
        }
        return new RevocationList(der, number!.Value, thisUpdate, nextUpdate, entries);
    }

    private static bool Revokes(RevocationList list, X509Certificate2 certificate) =>
        list.Entries.Any(e => e.Serial == Convert.ToHexStringLower(certificate.SerialNumberBytes.Span.TrimStart((byte)0)));

    /// <summary>A company's root.</summary>
    private sealed class Root : IDisposable
    {
        private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP384);

        public Root()
        {
            var request = new CertificateRequest("CN=Example Root", key, HashAlgorithmName.SHA384);
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
            var now = TimeProvider.System.GetUtcNow();
            Certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(3650));
        }

        public X509Certificate2 Certificate { get; }

        public string Pem => Certificate.ExportCertificatePem() + "\n";

        public string Sign(string requestPem, bool authority = true, string? subject = null)
        {
            var asked = CertificateRequest.LoadSigningRequestPem(requestPem, HashAlgorithmName.SHA384, CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions);
            var request = new CertificateRequest(subject is null ? asked.SubjectName : new X500DistinguishedName(subject), asked.PublicKey, HashAlgorithmName.SHA384);
            foreach (var extension in asked.CertificateExtensions.Where(e => authority || e is not X509BasicConstraintsExtension))
                request.CertificateExtensions.Add(extension);
            var now = TimeProvider.System.GetUtcNow();
            return request.Create(Certificate, now.AddHours(-1), now.AddDays(1000), RandomNumberGenerator.GetBytes(8)).ExportCertificatePem() + "\n";
        }

        public void Dispose()
        {
            key.Dispose();
            Certificate.Dispose();
        }
    }

    /// <summary>A battery that ran out, or a hypervisor's clock: everything would be issued for a year that is over.</summary>
    [Fact]
    public async Task A_clock_that_was_set_back_a_year_issues_nothing_and_says_why()
    {
        await using var site = await CertificateFixture.StartAsync();
        await site.RegisterAsync("web-1", "web-2");
        site.Pass(TimeSpan.FromDays(800));
        await site.PassAsync(TimeSpan.Zero);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var first = (await new EstClient(site.Appliance).EnrolAsync(await site.TokenAsync("web-1"), EstClient.Request(key, "web-1"))).Certificate();
        var identity = site.Appliance.Services.GetRequiredService<ServerIdentity>();
        var shown = identity.Context!.TargetCertificate.SerialNumber;

        // After the authority was made, and long before what it issued last.
        site.Time.AdjustTime(site.Now.AddDays(-365));
        await identity.RefreshAsync(default);
        Assert.Equal(shown, identity.Context!.TargetCertificate.SerialNumber);
        var before = site.Appliance.Snapshot.Certificates.Count;
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var refused = await new EstClient(site.Appliance, at: site.Now.AddDays(365)).EnrolAsync(await site.TokenAsync("web-2"), EstClient.Request(other, "web-2"));
        Assert.Equal(503, refused.Status);
        Assert.Contains("the clock was set back", refused.Body, StringComparison.Ordinal);
        Assert.Equal(before, site.Appliance.Snapshot.Certificates.Count);
        var doctor = await site.Appliance.RunAsync("doctor", "-o", "json");
        Assert.Equal(1, doctor.ExitCode);
        Assert.Contains("the clock was set back", doctor.Output, StringComparison.Ordinal);

        // Set right, it goes on, also after a restart.
        site.Time.AdjustTime(site.Now.AddDays(365));
        await site.RestartAsync();
        Assert.Equal(200, (await new EstClient(site.Appliance).EnrolAsync(await site.TokenAsync("web-2"), EstClient.Request(other, "web-2"))).Status);
    }
}
