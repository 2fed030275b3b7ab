using System.Security.Cryptography.X509Certificates;
using Paths = Provisioner.Tests.Join.ApplianceDouble.Paths;

namespace Provisioner.Tests.Join;

public sealed class RenewTests
{
    public static TheoryData<string> Distributions => JoinFixture.Distributions;

    private static long Now => TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();

    [Theory]
    [MemberData(nameof(Distributions))]
    public async Task Renews_after_two_thirds_of_its_life_with_the_same_key(string distribution)
    {
        await using var host = await JoinFixture.EnrolledAsync(distribution, begin: -61, end: 29);
        var key = await File.ReadAllTextAsync(host.Key);
        using var before = host.LoadCertificate();

        var run = await host.RunAsync("renew");

        Assert.True(run.Exit == 0, run.Said);
        Assert.Contains("two thirds of its life have passed", run.Said, StringComparison.Ordinal);
        using var after = host.LoadCertificate();
        Assert.NotEqual(before.Thumbprint, after.Thumbprint);
        Assert.Equal(key, await File.ReadAllTextAsync(host.Key));
        host.AssertPair();
        Assert.Equal(before.Thumbprint, Assert.Single(host.Appliance.Asked, a => a.Path == Paths.Reenrol).Client!.Thumbprint);
        Assert.Equal("ok", (string)Assert.Single(host.Appliance.Reports)["result"]!);
        // The way back, and nothing else.
        Assert.Equal(before.Thumbprint, X509CertificateLoader.LoadCertificateFromFile(host.File("etc/iam/pki/previous/server.pem")).Thumbprint);
        Assert.Equal(["current", "pair", "pair", "previous", "server.key", "server.pem"], PkiNames(host));
        Assert.Equal(["renewal.state"], host.StateFiles);
    }

    [Theory]
    [MemberData(nameof(Distributions))]
    public async Task Renews_with_a_new_key_where_that_is_wanted(string distribution)
    {
        await using var host = await JoinFixture.EnrolledAsync(distribution);
        await File.AppendAllTextAsync(host.Configuration, "REKEY=yes\n");
        var key = await File.ReadAllTextAsync(host.Key);

        var run = await host.RunAsync("renew", "--now");

        Assert.True(run.Exit == 0, run.Said);
        Assert.NotEqual(key, await File.ReadAllTextAsync(host.Key));
        host.AssertPair();
        Assert.Equal(["current", "pair", "pair", "previous", "server.key", "server.pem"], PkiNames(host));
    }

    [Fact]
    public async Task Asks_once_a_day_while_nothing_is_due()
    {
        await using var host = await JoinFixture.EnrolledAsync();
        host.SetState("checked", Now - 21 * 3600);

        var run = await host.RunAsync("renew");

        Assert.True(run.Exit == 0, run.Said);
        Assert.Contains(host.Appliance.Asked, a => a.Path == Paths.Renewal);
        Assert.Equal(0, host.Appliance.Renewals);
        var (begins, good) = (host.LoadCertificate().NotBefore.ToUniversalTime(), host.LoadCertificate().NotAfter.ToUniversalTime());
        var renewal = begins + (good - begins) * 2 / 3;
        Assert.Contains($"good until {good:yyyy-MM-ddTHH:mm:ssZ} and will be renewed after {renewal:yyyy-MM-dd}", run.Said, StringComparison.Ordinal);
        host.Appliance.Asked.Clear();
        Assert.Equal(0, (await host.RunAsync("renew")).Exit);
        Assert.Empty(host.Appliance.Asked);
    }

    [Theory]
    [InlineData("renew=now\nreason=The authority changes.\n", true, "(The authority changes.)")]
    [InlineData("renew=later\r\nrenewAfter=2026-01-01T00:00:00Z\r\n", true, "the appliance asks for it")]
    [InlineData("renew=later\nrenewAfter=2199-01-01T00:00:00Z\n", false, "will be renewed after 20")]
    [InlineData("renew=later\nrenewAfter=TOMORROW\n", false, "will be renewed after TOMORROW")]
    [InlineData("<html>", false, "will be renewed after 20")]
    public async Task The_appliance_can_ask_for_an_earlier_renewal(string answer, bool renews, string said)
    {
        await using var host = await JoinFixture.EnrolledAsync();
        host.SetState("checked", 0);
        var tomorrow = $"{TimeProvider.System.GetUtcNow().AddDays(1):yyyy-MM-ddTHH:mm:ssZ}";
        host.Appliance.Renewal = answer.Replace("TOMORROW", tomorrow, StringComparison.Ordinal);

        var run = await host.RunAsync("renew");

        Assert.True(run.Exit == 0 && run.Said.Contains(said.Replace("TOMORROW", tomorrow, StringComparison.Ordinal), StringComparison.Ordinal), run.Said);
        Assert.Equal(renews ? 1 : 0, host.Appliance.Renewals);
    }

    [Theory]
    [InlineData(404)]
    [InlineData(500)]
    [InlineData(0)]
    public async Task Without_the_appliances_word_two_thirds_count(int status)
    {
        await using var host = await JoinFixture.EnrolledAsync(begin: -61, end: 29);
        host.Appliance.Next(Paths.Renewal, status == 0 ? ApplianceDouble.Cut : ApplianceDouble.Answer(status, "no"));

        var run = await host.RunAsync("renew");

        Assert.True(run.Exit == 0, run.Said);
        Assert.Equal(1, host.Appliance.Renewals);
    }

    [Fact]
    public async Task A_failed_renewal_keeps_the_pair_reports_and_waits_longer_each_time()
    {
        await using var host = await JoinFixture.EnrolledAsync(begin: -61, end: 29);
        using var before = host.LoadCertificate();
        host.Appliance.Always[Paths.Reenrol] = ApplianceDouble.Answer(500, "The \"disk\" is\\was full.");

        var run = await host.RunAsync("renew");

        Assert.Equal(1, run.Exit);
        Assert.Equal(3, host.Appliance.Renewals);
        Assert.Single(host.Appliance.Asked.Where(a => a.Path == Paths.Reenrol).Select(a => a.Body).Distinct());
        Assert.Equal(before.Thumbprint, host.LoadCertificate().Thumbprint);
        host.AssertPair();
        Assert.True(host.Appliance.Reports.TryDequeue(out var report));
        Assert.Equal(("failed", 1, "The appliance cannot answer now (HTTP 500): The \"disk\" is\\was full."), ((string)report["result"]!, (int)report["attempt"]!, (string)report["message"]!));
        Assert.InRange(host.ReadState("next"), Now + 3500, Now + 3600);

        // Before its time nothing is asked, and the unit stays failed.
        host.Appliance.Asked.Clear();
        run = await host.RunAsync("renew");
        Assert.Equal(1, run.Exit);
        Assert.Contains("The last renewal failed (attempt 1)", run.Said, StringComparison.Ordinal);
        Assert.Empty(host.Appliance.Asked);
        Assert.Contains("The last renewal failed (attempt 1)", (await host.RunAsync("check")).Said, StringComparison.Ordinal);

        host.SetState("next", Now - 1);
        Assert.Equal(1, (await host.RunAsync("renew")).Exit);
        Assert.Equal(2, host.ReadState("attempts"));
        Assert.InRange(host.ReadState("next"), Now + 7100, Now + 7200);
        host.SetState("attempts", 9);
        await host.RunAsync("renew", "--now");
        Assert.InRange(host.ReadState("next"), Now + 86300, Now + 86400);

        // --now does not wait, and the request that was never answered is sent again.
        host.Appliance.Always.Clear();
        run = await host.RunAsync("renew", "--now");
        Assert.True(run.Exit == 0, run.Said);
        Assert.Single(host.Appliance.Asked.Where(a => a.Path == Paths.Reenrol).Select(a => a.Body).Distinct());
        Assert.Equal(0, host.ReadState("attempts"));
        Assert.Equal(("ok", 11), ((string)host.Appliance.Reports.Last()["result"]!, (int)host.Appliance.Reports.Last()["attempt"]!));
    }

    [Fact]
    public async Task Near_its_end_a_certificate_is_tried_for_each_hour()
    {
        await using var host = await JoinFixture.EnrolledAsync(begin: -89, end: 0.3);
        host.SetState("attempts", 9);
        host.Appliance.Always[Paths.Reenrol] = ApplianceDouble.Answer(500, "no");

        Assert.Equal(1, (await host.RunAsync("renew")).Exit);

        // A quarter of 7.2 hours.
        Assert.InRange(host.ReadState("next"), Now + 6400, Now + 6500);
    }

    [Theory]
    [InlineData("another key")]
    [InlineData("another authority")]
    public async Task A_certificate_that_is_not_right_does_not_replace_the_good_one(string wrong)
    {
        await using var host = await JoinFixture.EnrolledAsync();
        using var before = host.LoadCertificate();
        using var key = System.Security.Cryptography.ECDsa.Create();
        host.Appliance.Issue = asked => [wrong == "another key" ? host.Authority.IssueHost(new PublicKey(key)) : Authority.Root("Other").IssueHost(asked)];

        var run = await host.RunAsync("renew", "--now");

        Assert.True(run.Exit == 1 && run.Said.Contains("The certificate that came back is not installed", StringComparison.Ordinal), run.Said);
        Assert.Equal(before.Thumbprint, host.LoadCertificate().Thumbprint);
        Assert.Equal("failed", (string)Assert.Single(host.Appliance.Reports)["result"]!);
    }

    [Theory]
    [InlineData("no")]
    [InlineData("yes")]
    public async Task A_pair_that_the_appliance_does_not_take_is_rolled_back(string rekey)
    {
        await using var host = await JoinFixture.EnrolledAsync();
        await File.AppendAllTextAsync(host.Configuration, $"REKEY={rekey}\n");
        using var before = host.LoadCertificate();
        host.Appliance.Issue = key =>
        {
            var issued = host.Authority.IssueHost(key);
            host.Appliance.Refused[issued.Thumbprint] = true;
            return [issued];
        };

        var run = await host.RunAsync("renew", "--now");

        Assert.True(run.Exit == 1 && run.Said.Contains("the one before is in force again. HTTP 403: This certificate is not taken.", StringComparison.Ordinal), run.Said);
        Assert.Equal(before.Thumbprint, host.LoadCertificate().Thumbprint);
        host.AssertPair();
        Assert.Equal(["current", "pair", "server.key", "server.pem"], PkiNames(host));
        Assert.Equal("failed", (string)Assert.Single(host.Appliance.Reports)["result"]!);
    }

    [Fact]
    public async Task A_pair_that_cannot_be_tried_stays()
    {
        await using var host = await JoinFixture.EnrolledAsync();
        using var before = host.LoadCertificate();
        host.Appliance.Next(Paths.Renewal, ApplianceDouble.Answer(200, "renew=now"));
        host.Appliance.Always[Paths.Renewal] = host.Appliance.Always[Paths.Report] = ApplianceDouble.Cut;

        var run = await host.RunAsync("renew", "--now");

        Assert.True(run.Exit == 0, run.Said);
        Assert.NotEqual(before.Thumbprint, host.LoadCertificate().Thumbprint);
    }

    // mv is what puts things in force. The program is killed at one after the other, as by a power cut, and started again.
    [Fact]
    public async Task Whatever_cuts_it_off_there_is_a_pair()
    {
        var exit = 137;
        // The request, previous, current and the state; then nothing is left to cut.
        for (var survives = 0; exit == 137; survives++)
        {
            await using var host = await JoinFixture.EnrolledAsync();
            await File.AppendAllTextAsync(host.Configuration, "REKEY=yes\n");
            using var before = host.LoadCertificate();
            await File.WriteAllTextAsync(host.Beside("moves"), "");
            host.AddProgram("mv", $"#!/bin/sh\necho >>'{host.Beside("moves")}'\n[ $(wc -l <'{host.Beside("moves")}') -le {survives} ] || {{ kill -9 $PPID; exit 1; }}\nexec /bin/mv \"$@\"\n");

            exit = (await host.RunAsync("renew", "--now")).Exit;
            host.AssertPair();
            Assert.Equal(survives < 4 ? 137 : 0, exit);

            host.AddProgram("mv", "#!/bin/sh\nexec /bin/mv \"$@\"\n");
            var run = await host.RunAsync("renew", "--now");
            Assert.True(run.Exit == 0, run.Said);
            host.AssertPair();
            Assert.NotEqual(before.Thumbprint, host.LoadCertificate().Thumbprint);
            Assert.Equal(["current", "pair", "pair", "previous", "server.key", "server.pem"], PkiNames(host));
            Assert.Equal(["renewal.state"], host.StateFiles);
        }
    }

    [Fact]
    public async Task A_change_of_authority_is_followed_to_its_end()
    {
        await using var host = await JoinFixture.EnrolledAsync(begin: -61, end: 29);
        var next = Authority.Root("Provisioner 2");

        // Both are live, and the new one signs hosts already.
        host.Appliance.Served = [host.Authority.Certificate, next.Certificate];
        host.Appliance.Authority = next;
        var run = await host.RunAsync("renew");
        Assert.True(run.Exit == 0, run.Said);
        Assert.Equal("CN=Provisioner 2", host.LoadCertificate().Issuer);
        Assert.Equal(["CN=Provisioner 1", "CN=Provisioner 2"], Pinned(host));

        // Then the appliance itself changes over, and the old one goes.
        host.Appliance.Present(next);
        host.Appliance.Served = [next.Certificate];
        host.SetState("checked", 0);
        run = await host.RunAsync("renew");
        Assert.True(run.Exit == 0, run.Said);
        Assert.Equal(["CN=Provisioner 2"], Pinned(host));
        Assert.Equal("644", Convert.ToString((int)File.GetUnixFileMode(host.Pinned), 8));
        Assert.Equal(0, (await host.RunAsync("renew", "--now")).Exit);
    }

    [Theory]
    [InlineData("locks out", "with it alone the appliance itself cannot be verified")]
    [InlineData("host", "is no authority")]
    [InlineData("nothing", "holds no certificate")]
    [InlineData("junk", "is not base64 of a PKCS#7")]
    [InlineData("error", "HTTP 500, no")]
    public async Task Authorities_that_would_lock_the_host_out_are_not_taken(string served, string reason)
    {
        await using var host = await JoinFixture.EnrolledAsync();
        host.SetState("checked", 0);
        var before = await File.ReadAllTextAsync(host.Pinned);
        if (served is "junk" or "error")
            host.Appliance.Always[Paths.Authorities] = ApplianceDouble.Answer(served == "error" ? 500 : 200, "no");
        host.Appliance.Served = served switch
        {
            "locks out" => [Authority.Root("Provisioner 2").Certificate],
            "host" => [host.Authority.Certificate, host.LoadCertificate()],
            "nothing" => [],
            _ => host.Appliance.Served,
        };

        var run = await host.RunAsync("renew");

        Assert.Contains("those pinned stay", run.Said, StringComparison.Ordinal);
        Assert.Contains(reason, run.Said, StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllTextAsync(host.Pinned));
    }

    [Fact]
    public async Task A_pair_in_plain_files_is_taken_over()
    {
        await using var host = await JoinFixture.EnrolledAsync();
        var pki = host.File("etc/iam/pki");
        var (key, certificate) = (await File.ReadAllTextAsync(host.Key), await File.ReadAllTextAsync(host.Certificate));
        Directory.Delete(pki, recursive: true);
        Directory.CreateDirectory(pki);
        await File.WriteAllTextAsync(host.Key, key);
        await File.WriteAllTextAsync(host.Certificate, certificate);

        var run = await host.RunAsync("renew", "--now");

        Assert.True(run.Exit == 0, run.Said);
        Assert.NotEqual(certificate, await File.ReadAllTextAsync(host.Certificate));
        host.AssertPair();
        Assert.Equal("current/server.pem", new FileInfo(host.Certificate).LinkTarget);
    }

    [Fact]
    public async Task A_damaged_state_stops_nothing()
    {
        await using var host = await JoinFixture.EnrolledAsync(begin: -61, end: 29);
        await File.WriteAllTextAsync(host.State, "attempts=$(touch x)\nnext=99999999999\nchecked=08\nreason\n=\0\n");

        var run = await host.RunAsync("renew");

        Assert.True(run.Exit == 0, run.Said);
        Assert.Equal(1, host.Appliance.Renewals);
    }

    [Fact]
    public async Task Without_a_certificate_there_is_nothing_to_renew()
    {
        await using var host = await JoinFixture.StartAsync();

        var renew = await host.RunAsync("renew");
        var check = await host.RunAsync("check");

        Assert.True(renew.Exit == 1 && renew.Said.Contains("provisioner-certificate enrol obtains the first one", StringComparison.Ordinal), renew.Said);
        Assert.True(check.Exit == 1 && check.Said.Contains("has no certificate yet", StringComparison.Ordinal), check.Said);
        Assert.Empty(host.Appliance.Asked);
    }

    [Theory]
    [InlineData(-90, -0.01, "cannot be used: it ended at 20")]
    [InlineData(1, 90, "cannot be used: it is good from 20")]
    public async Task Check_sees_that_a_certificate_is_not_good(double begin, double end, string said)
    {
        await using var host = await JoinFixture.EnrolledAsync();
        using var key = System.Security.Cryptography.ECDsa.Create();
        key.ImportFromPem(await File.ReadAllTextAsync(host.Key));
        await File.WriteAllTextAsync(host.Certificate, host.Authority.IssueHost(new PublicKey(key), begin: begin, end: end).ExportCertificatePem());

        var run = await host.RunAsync("check");

        Assert.True(run.Exit == 1 && run.Said.Contains(said, StringComparison.Ordinal), run.Said);
    }

    private static IEnumerable<string> PkiNames(JoinFixture host) =>
        Directory.GetFileSystemEntries(host.File("etc/iam/pki")).Select(file => Path.GetFileName(file).Split('-')[0]).Order();

    private static IEnumerable<string> Pinned(JoinFixture host)
    {
        var pinned = new X509Certificate2Collection();
        pinned.ImportFromPemFile(host.Pinned);
        return pinned.Select(certificate => certificate.Subject).Order();
    }
}
