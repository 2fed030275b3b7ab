using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Provisioner.Certificates;
using Provisioner.Events;
using Provisioner.Protocols.Est;
using Provisioner.Storage;

namespace Provisioner.Tests.Certificates;

public sealed class EnrolmentTests
{
    private static readonly ECDsa Key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    [Fact]
    public async Task A_host_gets_a_certificate_for_its_name_and_the_token_is_spent()
    {
        await using var site = await CertificateFixture.StartAsync();
        await site.RegisterAsync("web-1");
        var token = await site.TokenAsync("web-1");
        var answer = await new EstClient(site.Appliance).EnrolAsync(token, EstClient.Request(Key, "web-1"));
        Assert.Equal("application/pkcs7-mime; smime-type=certs-only", answer.MediaType);
        using var certificate = Assert.Single(answer.Certificates());

        Assert.Equal(3, certificate.Version);
        Assert.Equal("CN=web-1", certificate.Subject);
        Assert.Equal("sha256ECDSA", certificate.SignatureAlgorithm.FriendlyName);
        Assert.Equal(Key.ExportSubjectPublicKeyInfo(), certificate.PublicKey.ExportSubjectPublicKeyInfo());
        var extensions = certificate.Extensions.ToList();
        Assert.Equal(6, extensions.Count);
        Assert.False(extensions.OfType<X509BasicConstraintsExtension>().Single().CertificateAuthority);
        Assert.Equal(X509KeyUsageFlags.DigitalSignature, extensions.OfType<X509KeyUsageExtension>().Single().KeyUsages);
        Assert.Equal("1.3.6.1.5.5.7.3.2", Assert.Single(extensions.OfType<X509EnhancedKeyUsageExtension>().Single().EnhancedKeyUsages.Cast<Oid>()).Value);
        Assert.Equal(["web-1"], extensions.OfType<X509SubjectAlternativeNameExtension>().Single().EnumerateDnsNames());
        var issuer = site.Appliance.Snapshot.IssuingAuthority!;
        using var ca = X509CertificateLoader.LoadCertificate(issuer.Der!);
        Assert.Equal(ca.Extensions.OfType<X509SubjectKeyIdentifierExtension>().Single().SubjectKeyIdentifier,
            Convert.ToHexString(extensions.OfType<X509AuthorityKeyIdentifierExtension>().Single().KeyIdentifier!.Value.Span));
        Assert.Equal(16, certificate.SerialNumberBytes.Span.TrimStart((byte)0).Length);
        Assert.Equal(Validity.From(site.Now, TimeSpan.FromDays(90)), Validity.Of(certificate));
        Assert.Equal(site.Now - TimeSpan.FromMinutes(5), Validity.Of(certificate).NotBefore);

        var stored = site.Recorded(certificate);
        Assert.Equal(("web-1", token.Installation, issuer.Id), (stored.Host, stored.Installation, stored.Authority));
        Assert.Equal(certificate.RawData, stored.Der);
        var installation = site.Appliance.Snapshot.Installations["web-1"];
        Assert.Equal("the host enrolled", installation.ClosedBecause);
        Assert.DoesNotContain(token.Token, Provisioner.Storage.RecordJson.Write(site.Appliance.Snapshot), StringComparison.Ordinal);
        Assert.Contains(site.Appliance.EventLog.Find(new EventQuery { Host = "web-1" }), e => e is { Source: EventSource.Est, Outcome: EventOutcome.Answered } && e.What.Contains(stored.Serial, StringComparison.Ordinal));
        Assert.Equal("Enrolled", (await site.Appliance.GetAsync("hosts/web-1"))["status"]!["state"]!.GetValue<string>());
    }

    [Fact]
    public async Task The_same_request_with_the_same_token_gets_the_same_certificate()
    {
        await using var site = await CertificateFixture.StartAsync();
        await site.RegisterAsync("web-1");
        var token = await site.TokenAsync("web-1");
        var (client, request) = (new EstClient(site.Appliance), EstClient.Request(Key, "web-1"));
        // At once, as a client does whose first connection hangs, and after a restart.
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => client.EnrolAsync(token, request)));
        await site.RestartAsync();
        site.Time.Advance(TimeSpan.FromHours(2) + TimeSpan.FromMinutes(30));
        var late = await new EstClient(site.Appliance).EnrolAsync(token, request);
        Assert.Single(answers.Append(late).Select(a => a.Certificate().SerialNumber).Distinct());
        Assert.Single(site.Appliance.Snapshot.CertificatesOf("web-1"));
        site.Time.Advance(TimeSpan.FromMinutes(31));
        (await new EstClient(site.Appliance).EnrolAsync(token, request)).AssertRefused(403, "window ended");
    }

    [Fact]
    public async Task A_second_use_of_the_token_is_refused_recorded_and_raised_as_an_alert()
    {
        await using var site = await CertificateFixture.StartAsync();
        await site.RegisterAsync("web-1");
        var token = await site.TokenAsync("web-1");
        var client = new EstClient(site.Appliance);
        var first = (await client.EnrolAsync(token, EstClient.Request(Key, "web-1"))).Certificate();
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        (await client.EnrolAsync(token, EstClient.Request(other, "web-1"))).AssertRefused(403, "the token was used already");

        var alert = Assert.Single(site.Appliance.Snapshot.Alerts.Values);
        Assert.Equal(("token-reuse:web-1", AlertSeverity.Critical, "web-1"), (alert.Id, alert.Severity, alert.Host));
        Assert.Contains(site.Recorded(first).Serial, alert.Message, StringComparison.Ordinal);
        await site.EventsUntilAsync(e => e is { Outcome: EventOutcome.Refused, Host: "web-1" } && e.Reason.Contains("used already", StringComparison.Ordinal));
        Assert.Contains("token-reuse:web-1", (await site.Appliance.RunAsync("get", "alerts")).Succeeded(), StringComparison.Ordinal);
        (await site.Appliance.RunAsync("dismiss", "token-reuse:web-1")).Succeeded();
        Assert.Contains("Nothing needs attention", (await site.Appliance.RunAsync("get", "alerts")).Error, StringComparison.Ordinal);
        // It happens again: it is shown again.
        await client.EnrolAsync(token, EstClient.Request(other, "web-1"));
        Assert.Equal(2, Assert.Single((await site.Appliance.GetAsync("alerts"))["items"]!.AsArray())!["times"]!.GetValue<int>());
    }

    [Fact]
    public async Task Wrong_expired_foreign_and_missing_tokens_are_refused()
    {
        await using var site = await CertificateFixture.StartAsync();
        await site.RegisterAsync("web-1", "web-2");
        var (one, two) = (await site.TokenAsync("web-1"), await site.TokenAsync("web-2", TimeSpan.FromMinutes(10)));
        var (client, request) = (new EstClient(site.Appliance), EstClient.Request(Key, "web-1"));
        var wrong = await client.EnrolAsync(one with { Token = EnrolmentToken.Create() }, request);
        wrong.AssertRefused(401, "the Installation or its token is wrong");
        (await client.EnrolAsync(one with { Token = two.Token }, request)).AssertRefused(401, "token is wrong");
        (await client.EnrolAsync(one with { Installation = two.Installation }, request)).AssertRefused(401, "token is wrong");
        (await client.EnrolAsync(one with { Installation = new string('0', 32) }, request)).AssertRefused(401, "token is wrong");
        (await client.EnrolAsync(one with { Token = "" }, request)).AssertRefused(401, "token is wrong");
        // Asked for credentials, which the header says, without a body that a client might stumble over.
        var asked = await client.SendAsync(HttpMethod.Post, "/.well-known/est/simpleenroll", Convert.ToBase64String(request), "application/pkcs10");
        Assert.Equal((401, ""), (asked.Status, asked.Body));
        (await client.SendAsync(HttpMethod.Post, "/.well-known/est/simpleenroll", Convert.ToBase64String(request), "application/pkcs10", "!!!")).AssertRefused(401, "HTTP Basic is needed");
        using (var http = client.Connect())
        using (var response = await http.PostAsync("/.well-known/est/simpleenroll", null))
            Assert.Equal("Basic", Assert.Single(response.Headers.WwwAuthenticate).Scheme);
        site.Time.Advance(TimeSpan.FromMinutes(10));
        (await client.EnrolAsync(two, EstClient.Request(Key, "web-2"))).AssertRefused(403, "window ended");
        await site.PostAsync("hosts/web-1/cancel");
        (await client.EnrolAsync(one, request)).AssertRefused(403, "the Installation is not open: cancelled");
        Assert.DoesNotContain(site.Appliance.Snapshot.Certificates.Values, c => c.Purpose == CertificatePurpose.Host);
        var events = await site.EventsUntilAsync(e => e.Reason.Contains("cancelled", StringComparison.Ordinal) && e.Source == EventSource.Est);
        Assert.All(events, e => Assert.DoesNotContain(one.Token, e.What + e.Reason, StringComparison.Ordinal));
        Assert.Contains(events, e => e is { Outcome: EventOutcome.Refused, Host: "web-1" } && e.What.Contains("wrong token", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Retired_and_deleted_hosts_are_not_enrolled()
    {
        await using var site = await CertificateFixture.StartAsync();
        await site.RegisterAsync("web-1", "web-2");
        var (one, two) = (await site.TokenAsync("web-1"), await site.TokenAsync("web-2"));
        await site.PostAsync("hosts/web-1/retire");
        await site.PostAsync("hosts/web-2/cancel");
        (await site.Appliance.RunAsync("delete", "host", "web-2")).Succeeded();
        var client = new EstClient(site.Appliance);
        (await client.EnrolAsync(one, EstClient.Request(Key, "web-1"))).AssertRefused(403, "host web-1 was retired");
        (await client.EnrolAsync(two, EstClient.Request(Key, "web-2"))).AssertRefused(401, "token is wrong");
        Assert.Equal(409, (await site.Appliance.SendAsync(HttpMethod.Post, "hosts/web-1/token", new StringContent("{}"))).Status);
    }

    [Fact]
    public async Task A_token_given_out_twice_is_good_either_way_and_both_are_spent_together()
    {
        await using var site = await CertificateFixture.StartAsync();
        await site.RegisterAsync("web-1");
        var (first, second) = (await site.TokenAsync("web-1"), await site.TokenAsync("web-1"));
        Assert.Equal(first.Installation, second.Installation);
        Assert.NotEqual(first.Token, second.Token);
        var client = new EstClient(site.Appliance);
        (await client.EnrolAsync(first, EstClient.Request(Key, "web-1"))).Certificate();
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        (await client.EnrolAsync(second, EstClient.Request(other, "web-1"))).AssertRefused(403, "used already");
    }

    [Fact]
    public async Task Ten_thousand_wrong_tokens_are_limited_and_the_host_still_gets_through()
    {
        await using var site = await CertificateFixture.StartAsync();
        await site.RegisterAsync("web-1");
        var token = await site.TokenAsync("web-1");
        var client = new EstClient(site.Appliance);
        var body = Convert.ToBase64String(EstClient.Request(Key, "web-1"));
        using var http = client.Connect();
        var statuses = new Dictionary<int, int>();
        for (var i = 0; i < 10_000; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/.well-known/est/simpleenroll") { Content = new StringContent(body) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/pkcs10");
            request.Headers.Authorization = new AuthenticationHeaderValue("Basic", EstClient.BasicOf(token.Installation, $"{i:x64}"));
            using var response = await http.SendAsync(request);
            statuses[(int)response.StatusCode] = statuses.GetValueOrDefault((int)response.StatusCode) + 1;
            if (response.StatusCode == System.Net.HttpStatusCode.TooManyRequests)
                Assert.True(response.Headers.RetryAfter!.Delta > TimeSpan.Zero);
        }
        Assert.Equal(TokenGuard.AddressBurst, statuses[401]);
        Assert.Equal(10_000 - TokenGuard.AddressBurst, statuses[429]);
        (await client.EnrolAsync(token, EstClient.Request(Key, "web-1"))).Certificate();

        int Recorded() => site.Appliance.EventLog.Find(new EventQuery { Limit = 10_000 }).Count(e => e.Outcome == EventOutcome.Refused);
        for (var i = 0; i < 200 && Recorded() < TokenGuard.AddressBurst; i++)
        {
            site.Time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Delay(20);
        }
        await Task.Delay(300);
        Assert.Equal(TokenGuard.AddressBurst, Recorded());
    }

    [Fact]
    public void Wrong_tokens_are_limited_for_an_Installation_from_many_addresses_and_forgiven_with_time()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        var guard = new TokenGuard(time);
        var waits = Enumerable.Range(1, 200).Select(i => guard.Wrong(new System.Net.IPAddress([10, 0, 0, (byte)i]), "one").RetryAfter).ToList();
        Assert.All(waits.Take(TokenGuard.InstallationBurst), Assert.Null);
        Assert.All(waits.Skip(TokenGuard.InstallationBurst), wait => Assert.True(wait > TimeSpan.Zero));
        Assert.Null(guard.Wrong(System.Net.IPAddress.Loopback, "two").RetryAfter);
        time.Advance(waits[^1]!.Value);
        Assert.Null(guard.Wrong(System.Net.IPAddress.Loopback, "one").RetryAfter);
        for (var i = 0; i < 20_000; i++)
            guard.Wrong(new System.Net.IPAddress(i), $"made-up-{i}");
        Assert.Null(guard.Wrong(System.Net.IPAddress.IPv6Loopback, null).RetryAfter);
    }

    [Fact]
    public async Task Names_and_extensions_of_the_request_are_not_taken_and_that_is_recorded()
    {
        await using var site = await CertificateFixture.StartAsync();
        await site.RegisterAsync("web-1");
        var request = EstClient.Request(Key, "db-7", csr =>
        {
            csr.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
            csr.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));
        });
        using var certificate = (await new EstClient(site.Appliance).EnrolAsync(await site.TokenAsync("web-1"), request)).Certificate();
        Assert.Equal("CN=web-1", certificate.Subject);
        Assert.Equal(["web-1"], certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().Single().EnumerateDnsNames());
        Assert.Equal(X509KeyUsageFlags.DigitalSignature, certificate.Extensions.OfType<X509KeyUsageExtension>().Single().KeyUsages);
        Assert.Equal("1.3.6.1.5.5.7.3.2", Assert.Single(certificate.Extensions.OfType<X509EnhancedKeyUsageExtension>().Single().EnhancedKeyUsages.Cast<Oid>()).Value);
        await site.EventsUntilAsync(e => e.What.StartsWith("The request asked for other names", StringComparison.Ordinal) && e.Reason.Contains("db-7", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Bad_requests_are_refused_with_their_reason_and_spend_no_token()
    {
        await using var site = await CertificateFixture.StartAsync();
        await site.RegisterAsync("web-1");
        var (client, token) = (new EstClient(site.Appliance), await site.TokenAsync("web-1"));
        Task<EstAnswer> Send(byte[] der) => client.EnrolAsync(token, der);
        using var weak = RSA.Create(1024);
        (await Send(EstClient.Request(weak, "web-1"))).AssertRefused(400, "1024");
        (await Send(EstClient.Request(Key, "web-1", csr => csr.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true))))).AssertRefused(400, "CA:TRUE");
        var good = EstClient.Request(Key, "web-1");
        var forged = good.ToArray();
        forged[^1] ^= 1;
        (await Send(forged)).AssertRefused(400, "does not prove possession");
        (await Send([1, 2, 3])).AssertRefused(400, "not DER");
        (await client.EnrolAsync(token.Installation, token.Token, "no base64 !")).AssertRefused(400, "base64");
        (await client.EnrolAsync(token.Installation, token.Token, Convert.ToBase64String(new byte[30_000]))).AssertRefused(413, "bytes");
        (await client.EnrolAsync(token.Installation, token.Token, Convert.ToBase64String(good), "application/json")).AssertRefused(415, "application/pkcs10 is taken");
        (await client.SendAsync(HttpMethod.Post, "/.well-known/est/serverkeygen", "", "application/pkcs10")).AssertRefused(501, "its own key");
        Assert.Equal(405, (await client.GetAsync("/.well-known/est/simpleenroll")).Status);
        Assert.Equal(404, (await client.GetAsync("/.well-known/est/rack7/cacerts")).Status);
        (await Send(good)).Certificate();
        await site.EventsUntilAsync(e => e is { Outcome: EventOutcome.Refused, Host: "web-1" } && e.Reason.Contains("does not prove possession", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_key_of_another_host_and_a_compromised_one_are_refused()
    {
        await using var site = await CertificateFixture.StartAsync();
        using var first = await site.EnrolAsync("web-1", Key);
        await site.RegisterAsync("web-2");
        var client = new EstClient(site.Appliance);
        (await client.EnrolAsync(await site.TokenAsync("web-2"), EstClient.Request(Key, "web-2"))).AssertRefused(400, "the key is that of host web-1 already");
        await site.PostAsync("certificates/web-1/revoke", """{"reason": "keyCompromise"}""");
        (await client.EnrolAsync(await site.TokenAsync("web-1"), EstClient.Request(Key, "web-1"))).AssertRefused(400, "known to be compromised");
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        (await client.EnrolAsync(await site.TokenAsync("web-1"), EstClient.Request(other, "web-1"))).Certificate();
    }

    [Fact]
    public async Task Renewal_gives_another_certificate_for_the_same_name_with_the_same_or_a_new_key()
    {
        await using var site = await CertificateFixture.StartAsync();
        using var first = await site.EnrolAsync("web-1");
        site.Time.Advance(TimeSpan.FromHours(1));
        using var second = (await site.RenewAsync(first, "web-1")).Certificate().CopyWithPrivateKey(first.GetECDsaPrivateKey()!);
        Assert.NotEqual(first.SerialNumber, second.SerialNumber);
        Assert.Equal(first.PublicKey.ExportSubjectPublicKeyInfo(), second.PublicKey.ExportSubjectPublicKeyInfo());
        Assert.Equal(site.Now + TimeSpan.FromDays(90), Validity.Of(second).NotAfter);
        Assert.Equal(site.Recorded(first).Serial, site.Recorded(second).Renews);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        using var third = (await new EstClient(site.Appliance, second).RenewAsync(EstClient.Request(key, "web-1"))).Certificate();
        Assert.Equal(key.ExportSubjectPublicKeyInfo(), third.PublicKey.ExportSubjectPublicKeyInfo());
    }

    [Fact]
    public async Task A_renewal_whose_answer_was_lost_is_answered_with_the_same_certificate()
    {
        await using var site = await CertificateFixture.StartAsync();
        using var first = await site.EnrolAsync("web-1");
        var request = EstClient.Request(first.GetECDsaPrivateKey()!, "web-1");
        var client = new EstClient(site.Appliance, first);
        var again = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => client.RenewAsync(request)));
        Assert.Single(again.Select(a => a.Certificate().SerialNumber).Distinct());
    }

    [Fact]
    public async Task Renewal_is_refused_for_other_names_and_for_certificates_that_do_not_count()
    {
        await using var site = await CertificateFixture.StartAsync();
        using var one = await site.EnrolAsync("web-1");
        using var two = await site.EnrolAsync("web-2");
        (await site.RenewAsync(two, "web-1")).AssertRefused(400, "the request's common name is 'web-1', the certificate is web-2's");
        (await new EstClient(site.Appliance, two).RenewAsync(EstClient.Request(two.GetECDsaPrivateKey()!, "web-2", withDnsName: false))).AssertRefused(400, "DNS names");
        (await new EstClient(site.Appliance).RenewAsync(EstClient.Request(Key, "web-1"))).AssertRefused(403, "a client certificate is needed");

        // One of another authority, and one that claims to be of ours: same issuer, same serial, another signature.
        using var foreign = SelfMade("CN=web-1", one.SerialNumberBytes.ToArray());
        (await site.RenewAsync(foreign, "web-1")).AssertRefused(403, "not issued by this appliance");
        using var pretended = SelfMade("CN=web-1", one.SerialNumberBytes.ToArray(), one.IssuerName);
        (await site.RenewAsync(pretended, "web-1")).AssertRefused(403, "not issued by this appliance");

        await site.PostAsync("certificates/web-2/revoke");
        (await site.RenewAsync(two, "web-2")).AssertRefused(403, "the certificate was revoked");
        await site.PassAsync(TimeSpan.FromDays(91));
        (await site.RenewAsync(one, "web-1")).AssertRefused(403, "cannot be renewed any more");
        Assert.Equal("refused: " + "the certificate ended", site.Appliance.Snapshot.HostReports["web-1"].Message[..30]);
    }

    [Fact]
    public async Task A_retired_host_does_not_renew()
    {
        await using var site = await CertificateFixture.StartAsync();
        using var one = await site.EnrolAsync("web-1");
        await site.PostAsync("hosts/web-1/retire");
        (await site.RenewAsync(one, "web-1")).AssertRefused(403, "revoked");
        Assert.Equal("Retired", (await site.Appliance.GetAsync("hosts/web-1"))["status"]!["state"]!.GetValue<string>());
        var before = site.Appliance.Snapshot.Revision;
        await site.PostAsync("hosts/web-1/retire");
        Assert.Equal(before, site.Appliance.Snapshot.Revision);
    }

    [Fact]
    public async Task Nothing_is_issued_while_the_clock_is_not_synchronised_or_was_set_back()
    {
        await using var site = await CertificateFixture.StartAsync();
        using var one = await site.EnrolAsync("web-1");
        await site.RegisterAsync("web-2");
        var token = await site.TokenAsync("web-2");
        site.Clock.Status = new(false, "the clock is not synchronised: the test says so");
        var refused = await new EstClient(site.Appliance).EnrolAsync(token, EstClient.Request(Key, "web-2"));
        refused.AssertRefused(503, "the clock is not synchronised");
        Assert.Equal(TimeSpan.FromMinutes(1), refused.RetryAfter);
        (await site.RenewAsync(one, "web-1")).AssertRefused(503, "not synchronised");
        Assert.Contains("no certificates are issued: the clock is not synchronised", (await site.Appliance.RunAsync("status")).Succeeded().ReplaceLineEndings(" ").Replace("               ", " ", StringComparison.Ordinal), StringComparison.Ordinal);
        site.Clock.Status = new(true, "again");
        (await new EstClient(site.Appliance).EnrolAsync(token, EstClient.Request(Key, "web-2"))).Certificate();
    }

    [Fact]
    public async Task A_host_is_told_when_to_renew_and_what_it_reports_is_kept()
    {
        await using var site = await CertificateFixture.StartAsync();
        using var one = await site.EnrolAsync("web-1");
        var client = new EstClient(site.Appliance, one);
        var plan = await client.GetAsync("/api/v1/self/renewal");
        Assert.Contains("renew=later\n", plan.Body, StringComparison.Ordinal);
        Assert.Contains($"renewAfter={(site.Now - TimeSpan.FromMinutes(5) + (TimeSpan.FromDays(90) + TimeSpan.FromMinutes(5)) * 2 / 3).UtcDateTime:yyyy-MM-dd'T'HH:mm}", plan.Body, StringComparison.Ordinal);
        await site.PassAsync(TimeSpan.FromDays(61));
        Assert.Contains("renew=now\n", (await client.GetAsync("/api/v1/self/renewal")).Body, StringComparison.Ordinal);
        Assert.Equal(204, (await client.SendAsync(HttpMethod.Post, "/api/v1/self/report", """{"stage":"certificate","result":"failed","message":"no route\u0007to host","attempt":3}""", "application/json")).Status);
        var report = site.Appliance.Snapshot.HostReports["web-1"];
        Assert.Equal((false, "no route\ufffdto host", 3), (report.Succeeded, report.Message, report.Attempt));
        (await client.SendAsync(HttpMethod.Post, "/api/v1/self/report", "[]", "application/json")).AssertRefused(400, "result");
        (await client.SendAsync(HttpMethod.Post, "/api/v1/self/report", "{", "application/json")).AssertRefused(400, "JSON object");
        (await client.SendAsync(HttpMethod.Post, "/api/v1/self/report", new string(' ', 20_000), "application/json")).AssertRefused(413, "bytes");
        (await new EstClient(site.Appliance).GetAsync("/api/v1/self/renewal")).AssertRefused(403, "a client certificate is needed");
        // Past its end it may still say so.
        await site.PassAsync(TimeSpan.FromDays(40));
        (await client.GetAsync("/api/v1/self/renewal")).AssertRefused(403, "good from");
        Assert.Equal(204, (await client.SendAsync(HttpMethod.Post, "/api/v1/self/report", """{"result":"failed","message":"it ended"}""", "application/json")).Status);
    }

    [Fact]
    public async Task What_is_to_be_trusted_and_how_to_ask_is_told_to_anybody()
    {
        await using var site = await CertificateFixture.StartAsync();
        var client = new EstClient(site.Appliance);
        var trusted = Assert.Single((await client.GetAsync("/.well-known/est/cacerts")).Certificates());
        Assert.Equal(site.Appliance.Snapshot.IssuingAuthority!.Der, trusted.RawData);
        var attributes = await client.GetAsync("/.well-known/est/csrattrs");
        Assert.Equal("application/csrattrs", attributes.MediaType);
        Assert.Equal(CsrAttributes.Encode(), Convert.FromBase64String(attributes.Body));
        using var boot = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{site.Appliance.BootPort}") };
        Assert.Equal(trusted.ExportCertificatePem(), (await boot.GetStringAsync("/ca.pem")).TrimEnd());
        var list = await boot.GetAsync("/crl");
        Assert.Equal("application/pkix-crl", list.Content.Headers.ContentType!.MediaType);
        Assert.Equal(await list.Content.ReadAsByteArrayAsync(), await boot.GetByteArrayAsync($"/crl/{site.Appliance.Snapshot.IssuingAuthority.Id}"));
        Assert.Equal(System.Net.HttpStatusCode.NotFound, (await boot.GetAsync("/crl/ffff")).StatusCode);
    }

    /// <summary>A certificate nobody here signed, that says what the test wants.</summary>
    private static X509Certificate2 SelfMade(string subject, byte[] serial, X500DistinguishedName? issuer = null)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        var now = TimeProvider.System.GetUtcNow();
        return request.Create(issuer ?? request.SubjectName, X509SignatureGenerator.CreateForECDsa(key), now.AddDays(-1), now.AddDays(30), serial).CopyWithPrivateKey(key);
    }
}
