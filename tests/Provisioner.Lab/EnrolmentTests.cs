using System.Text.Json.Nodes;
using Provisioner.Lab.Harness;

namespace Provisioner.Lab;

/// <summary>
/// A server that came up from bare metal a minute ago asks for its certificate with the program and the units that an installation leaves on
/// a host, renews it when its time has come, and is refused once the certificate is revoked. Nobody types anything on it.
/// </summary>
public sealed class EnrolmentTests(ITestOutputHelper output)
{
    private const string Host = "server-1";
    private const string Mac = "52:54:00:77:00:0e";
    private const string Certificate = "/etc/iam/pki/server.pem";
    private const string Authority = "/etc/provisioner/ca.pem";

    /// <summary>Past two thirds of the 90 days that a certificate is good, and before their end.</summary>
    private static readonly TimeSpan UntilRenewal = TimeSpan.FromDays(61);

    /// <summary>What an installation writes on the host's disk, from the credentials the server was given.</summary>
    private const string Handover = """
        [Unit]
        Description=The appliance, its authority and the one-time token
        Before=provisioner-enrol.service

        [Service]
        Type=oneshot
        RemainAfterExit=yes
        ExecStart=/usr/bin/install -d -m 0755 /etc/provisioner
        ExecStart=/usr/bin/install -m 0644 -t /etc/provisioner /run/credentials/@system/ca.pem /run/credentials/@system/join.conf
        ExecStart=/usr/bin/install -m 0600 -t /etc/provisioner /run/credentials/@system/token

        """;

    [Fact]
    public async Task A_server_enrols_and_renews_by_itself_until_its_certificate_is_revoked()
    {
        Prerequisites.SkipWithoutDiskless(Firmware.Bios);
        Prerequisites.SkipWithoutFakeClock();
        await using var site = await Site.CreateAsync(Firmware.Bios, SiteResources.Reserve, image: SiteImage.Diskless(Firmware.Bios, Overlay()));
        await site.RegisterAsync(Host, Mac);
        await site.Service.DoAsync("provision", Host);
        var server = await site.AddDisklessServerAsync(Mac, await CredentialsAsync(site.Service));

        await server.PowerOnAsync();
        var first = await EnrolsAsync(site, server);
        var second = await RenewsWhenToldAsync(site, server, first);
        await RenewsByItselfAsync(site, server, second);
        await IsRefusedOnceRevokedAsync(site, server);
    }

    private async Task<string> EnrolsAsync(Site site, DisklessServer server)
    {
        var report = await server.WaitUntilUpAsync();

        output.WriteLine($"Up and enrolled {server.UpAfter.TotalSeconds:F0} s after power-on.");
        Assert.DoesNotContain(report, line => line.StartsWith("failed ", StringComparison.Ordinal));
        Assert.Contains("is installed, good until", server.Machine.Serial(), StringComparison.Ordinal);
        Assert.Equal("600 root\n", await server.DoAsync("stat --dereference --format='%a %U' /etc/iam/pki/server.key"));
        // The token is spent, and gone.
        Assert.Equal("ca.pem\njoin.conf\n", await server.DoAsync("ls /etc/provisioner"));
        Assert.Equal("active\n", await server.DoAsync("systemctl is-active provisioner-renew.timer"));
        var serial = await VerifyAsync(server);

        var recorded = Assert.Single(await CertificatesAsync(site.Service));
        Assert.Equal((serial, Host, "good"), (Text(recorded, "serial"), Text(recorded, "host"), Text(recorded, "state")));
        Assert.Equal("Enrolled", await StateAsync(site.Service));
        var events = await site.Service.EventsAsync(Host);
        Timeline.AssertInOrder(events, new("http", "initrd.img"), new("est", "Enrolled", serial));
        Assert.Contains(events, e => e.What == "The host reports: certificate in order");
        return serial;
    }

    private static async Task<string> RenewsWhenToldAsync(Site site, DisklessServer server, string before)
    {
        await server.DoAsync("provisioner-certificate renew --now");

        var serial = await VerifyAsync(server);
        Assert.NotEqual(before, serial);
        var recorded = Assert.Single(await CertificatesAsync(site.Service), c => Text(c, "state") == "good");
        Assert.Equal((serial, before), (Text(recorded, "serial"), Text(recorded, "renews")));
        return serial;
    }

    /// <summary>Two months later for both: the timer, whose hour has passed, starts the renewal.</summary>
    private async Task RenewsByItselfAsync(Site site, DisklessServer server, string before)
    {
        await site.RestartServiceAsync(UntilRenewal);
        await server.SetClockAsync(TimeProvider.System.GetUtcNow() + UntilRenewal);

        var said = await server.DoAsync("""
            until journalctl --unit provisioner-renew --output cat | grep --quiet 'is renewed, good until'; do sleep 1; done
            journalctl --unit provisioner-renew --output cat
            """, TimeSpan.FromMinutes(2));

        output.WriteLine(said);
        Assert.Contains("two thirds of its life", said, StringComparison.Ordinal);
        var serial = await VerifyAsync(server);
        var recorded = Assert.Single(await CertificatesAsync(site.Service), c => Text(c, "state") == "good");
        Assert.Equal((serial, before), (Text(recorded, "serial"), Text(recorded, "renews")));
        Assert.True(DateTimeOffset.Parse(Text(recorded, "issuedAt"), null) > TimeProvider.System.GetUtcNow() + UntilRenewal - TimeSpan.FromHours(1), $"{recorded}");
        Timeline.AssertInOrder(await site.Service.EventsAsync(Host), new("est", "Enrolled"), new("est", "Renewed", before), new("est", "Renewed", serial));
        Assert.Equal("Enrolled", await StateAsync(site.Service));
    }

    private async Task IsRefusedOnceRevokedAsync(Site site, DisklessServer server)
    {
        await site.Service.DoAsync("ca", "revoke", Host, "--reason", "keyCompromise");

        var refused = await server.RunAsync("provisioner-certificate renew --now");

        output.WriteLine(refused.Error);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("The appliance refuses (HTTP 403): the certificate was revoked at ", refused.Error, StringComparison.Ordinal);
        // The unit that comes after it fails with the same reason, where an operator looks.
        var unit = await server.RunAsync("systemctl start provisioner-renew; systemctl is-failed provisioner-renew; journalctl --unit provisioner-renew --output cat --lines 5");
        Assert.Contains("failed\n", unit.Output, StringComparison.Ordinal);
        Assert.Contains("The last renewal failed (attempt 1)", unit.Output, StringComparison.Ordinal);
        Assert.Contains("the certificate was revoked at ", unit.Output, StringComparison.Ordinal);

        var events = await site.Service.EventsAsync(Host);
        Assert.Contains(events, e => e is { Source: "est", Outcome: "refused" } && e.What.StartsWith("Renewal refused", StringComparison.Ordinal)
            && e.Reason.StartsWith("the certificate was revoked at ", StringComparison.Ordinal));
        Assert.DoesNotContain(await CertificatesAsync(site.Service), c => Text(c, "state") == "good");
        Assert.NotEqual("Enrolled", await StateAsync(site.Service));
        // And who never asks the appliance learns it from its list.
        var listed = await server.RunAsync($"""
            curl --silent --show-error --fail http://{LabNetwork.Address}:8080/crl | openssl crl -inform DER -out crl.pem || exit 9
            openssl verify -crl_check -CRLfile crl.pem -CAfile {Authority} {Certificate}
            """);
        Assert.Equal(2, listed.ExitCode);
        Assert.Contains("certificate revoked", listed.Text, StringComparison.Ordinal);
    }

    /// <summary>What the real installation puts on a host, enabled as <c>systemctl enable</c> does it.</summary>
    private static DisklessOverlay Overlay()
    {
        var join = Path.Combine(Prerequisites.Repository, "templates", "join");
        string Of(string name) => File.ReadAllText(Path.Combine(join, name));
        return new DisklessOverlay()
            .AddProgram("/usr/local/sbin/provisioner-certificate", Of("provisioner-certificate"))
            .AddUnit("handover.service", Handover, wantedBy: "multi-user.target")
            .AddUnit("provisioner-enrol.service", Of("provisioner-enrol.service"), wantedBy: "multi-user.target")
            .AddUnit("provisioner-enrol.timer", Of("provisioner-enrol.timer"), wantedBy: "timers.target")
            .AddUnit("provisioner-renew.service", Of("provisioner-renew.service"))
            .AddUnit("provisioner-renew.timer", Of("provisioner-renew.timer"), wantedBy: "timers.target")
            // The one thing that is not as on a real host: it would come up to an hour later, so that hosts do not come together.
            .AddFile("/etc/systemd/system/provisioner-renew.timer.d/lab.conf", "[Timer]\nRandomizedDelaySec=0\n");
    }

    /// <summary>The token of the open Installation, and what goes with it.</summary>
    private static async Task<Dictionary<string, string>> CredentialsAsync(ServiceProcess service)
    {
        var given = JsonNode.Parse(await service.DoAsync("token", Host, "-o", "json"))!;
        return new()
        {
            ["token"] = Text(given, "token") + "\n",
            ["join.conf"] = $"""
                APPLIANCE=https://{LabNetwork.Address}:8443
                HOST={Host}
                INSTALLATION={Text(given, "installation")}

                """,
            ["ca.pem"] = await service.DoAsync("ca", "show", "--pem"),
        };
    }

    /// <summary>The server's certificate is good in the eyes of its own OpenSSL, and is for its own key.</summary>
    /// <returns>Its serial, as the appliance writes it.</returns>
    private static async Task<string> VerifyAsync(DisklessServer server)
    {
        var said = await server.DoAsync($"""
            set -e
            openssl verify -x509_strict -purpose sslclient -no-CApath -no-CAstore -CAfile {Authority} {Certificate}
            openssl x509 -in {Certificate} -noout -subject -ext subjectAltName
            openssl x509 -in {Certificate} -noout -pubkey >public-1
            openssl pkey -in /etc/iam/pki/server.key -pubout >public-2
            cmp public-1 public-2
            """);
        Assert.Equal($"{Certificate}: OK\nsubject=CN = {Host}\nX509v3 Subject Alternative Name: \n    DNS:{Host}\n", said);
        var serial = await server.DoAsync($"openssl x509 -in {Certificate} -noout -serial");
        return serial.Trim().Replace("serial=", "", StringComparison.Ordinal).ToLowerInvariant();
    }

    private static async Task<List<JsonNode>> CertificatesAsync(ServiceProcess service) =>
        [.. JsonNode.Parse(await service.DoAsync("get", "certificates", Host, "-o", "json"))!["items"]!.AsArray().Select(item => item!)];

    private static async Task<string> StateAsync(ServiceProcess service) =>
        Text(JsonNode.Parse(await service.DoAsync("get", "hosts", Host, "-o", "json"))!["status"]!, "state");

    private static string Text(JsonNode json, string field) => json[field]!.GetValue<string>();
}
