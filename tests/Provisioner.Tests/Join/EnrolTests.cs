using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Http;
using Paths = Provisioner.Tests.Join.ApplianceDouble.Paths;

namespace Provisioner.Tests.Join;

public sealed class EnrolTests
{
    public static TheoryData<string> Distributions => JoinFixture.Distributions;

    [Theory]
    [MemberData(nameof(Distributions))]
    public async Task Enrols(string distribution)
    {
        await using var host = await JoinFixture.StartAsync(distribution);

        var run = await host.RunAsync("enrol");

        Assert.True(run.Exit == 0, run.Said);
        host.AssertPair();
        using var certificate = host.LoadCertificate();
        Assert.Equal("CN=worker-1", certificate.Subject);
        Assert.Contains($"good until {certificate.NotAfter.ToUniversalTime():yyyy-MM-ddTHH:mm:ssZ}", run.Said, StringComparison.Ordinal);
        Assert.Equal("600", Mode(host.Key));
        Assert.Equal("644", Mode(host.Certificate));
        Assert.Single(File.ReadLines(host.Certificate), line => line.Contains("BEGIN", StringComparison.Ordinal));
        Assert.StartsWith("-----BEGIN EC PRIVATE KEY-----", await File.ReadAllTextAsync(host.Key), StringComparison.Ordinal);
        // Through the pair that is put in force by one rename.
        Assert.Equal("current/server.key", new FileInfo(host.Key).LinkTarget);
        Assert.Equal("current/server.pem", new FileInfo(host.Certificate).LinkTarget);
        Assert.Equal(["current", Path.GetFileName(Directory.ResolveLinkTarget(host.File("etc/iam/pki/current"), false)!.FullName), "server.key", "server.pem"],
            Directory.GetFileSystemEntries(host.File("etc/iam/pki")).Select(Path.GetFileName).Order());
        Assert.False(File.Exists(host.Token));
        Assert.Equal(["renewal.state"], host.StateFiles);
        var report = Assert.Single(host.Appliance.Reports);
        Assert.Equal(("certificate", "ok", 1), ((string)report["stage"]!, (string)report["result"]!, (int)report["attempt"]!));
        Assert.Equal($"{certificate.NotAfter.ToUniversalTime():yyyy-MM-ddTHH:mm:ssZ}", (string)report["notAfter"]!);

        host.Appliance.Asked.Clear();
        run = await host.RunAsync("enrol");
        Assert.Equal(0, run.Exit);
        Assert.Empty(host.Appliance.Asked);

        run = await host.RunAsync("check");
        Assert.True(run.Exit == 0, run.Said);
        Assert.Contains("It will be renewed after", run.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keeps_an_intermediate_authority_apart()
    {
        await using var host = await JoinFixture.StartAsync();
        var intermediate = host.Authority.Intermediate("Provisioner 1 hosts");
        host.Appliance.Issue = key => [host.Authority.Certificate, intermediate.Certificate, intermediate.IssueHost(key)];

        var run = await host.RunAsync("enrol", "--attempts", "1");

        Assert.True(run.Exit == 0, run.Said);
        host.AssertPair();
        var chain = new X509Certificate2Collection();
        chain.ImportFromPemFile(host.File("etc/iam/pki/chain.pem"));
        Assert.Equal("CN=Provisioner 1 hosts", Assert.Single(chain).Subject);
    }

    [Fact]
    public async Task Sends_nothing_to_an_appliance_by_another_authority()
    {
        await using var host = await JoinFixture.StartAsync();
        await File.WriteAllTextAsync(host.Pinned, Authority.Root("Provisioner 1").Certificate.ExportCertificatePem());

        var run = await host.RunAsync("enrol", "--attempts", "2");

        Assert.Equal(1, run.Exit);
        Assert.Contains("does not verify against", run.Said, StringComparison.Ordinal);
        Assert.Contains("this host's clock says 20", run.Said, StringComparison.Ordinal);
        Assert.Empty(host.Appliance.Asked);
        Assert.True(File.Exists(host.Token));
        AssertNoCertificate(host);
    }

    // curl and openssl verify both look into /etc/ssl/certs in spite of the file they are given. There, in a mount namespace, the authority
    // of an impostor is put; what curl does by itself shows that it would be taken.
    [Theory]
    [InlineData("dash")]
    [InlineData("bullseye")]
    public async Task Authorities_of_the_distribution_are_not_trusted(string distribution)
    {
        await using var host = await JoinFixture.StartAsync(distribution);
        var unshare = JoinFixture.Require("unshare");
        var impostor = Authority.Root("Impostor");
        Directory.CreateDirectory(host.Beside("certs"));
        await File.WriteAllTextAsync(host.Beside("certs/impostor.pem"), impostor.Certificate.ExportCertificatePem());
        host.Appliance.Issue = key => [impostor.IssueHost(key)];
        var here = $"{host.Beside("bin")}:{Environment.GetEnvironmentVariable("PATH")}";
        async Task<Run> InNamespaceAsync(string command)
        {
            var start = new ProcessStartInfo(unshare, ["-rm", "sh", "-c", $"set -e; openssl rehash '{host.Beside("certs")}' 2>/dev/null; mount --bind '{host.Beside("certs")}' /etc/ssl/certs || exit 99; {command}"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            start.Environment["PATH"] = here;
            start.Environment["PROVISIONER_ROOT"] = host.File("");
            return await JoinFixture.EndAsync(Process.Start(start)!);
        }

        var program = JoinFixture.TemplateFile("provisioner-certificate");
        var run = await InNamespaceAsync($"'{program}' enrol --attempts 1");
        Assert.SkipWhen(run.Exit == 99 || run.Said.Contains("unshare", StringComparison.Ordinal), "a mount namespace cannot be had here");
        Assert.True(run.Exit == 1 && run.Said.Contains("it does not verify", StringComparison.Ordinal), run.Said);
        AssertNoCertificate(host);

        host.Appliance.Present(impostor);
        host.Appliance.Asked.Clear();
        run = await InNamespaceAsync($"'{program}' enrol --attempts 1");
        Assert.True(run.Exit == 1 && run.Said.Contains("does not verify against", StringComparison.Ordinal), run.Said);
        Assert.Empty(host.Appliance.Asked);
        run = await InNamespaceAsync($"curl -q -sS -o /dev/null --cacert '{host.Pinned}' {host.Appliance.Address}");
        Assert.True(run.Exit == 0, run.Said);
    }

    [Theory]
    [InlineData("another name", "its name (CN) is \"worker-2\", not \"worker-1\"")]
    [InlineData("another alternative name", "its alternative names are \"DNS:worker-2\", not \"DNS:worker-1\"")]
    [InlineData("two names in one", "its name (CN) is")]
    [InlineData("another key", "no certificate in the answer has this host's public key")]
    [InlineData("ended", "and this host's clock says 20")]
    [InlineData("not begun", "but this host's clock says 20")]
    [InlineData("another authority", "it does not verify against the authorities in")]
    [InlineData("another authority of the same name", "it does not verify against the authorities in")]
    [InlineData("for servers", "it does not verify against the authorities in")]
    [InlineData("nothing", "the answer holds no certificate")]
    public async Task A_certificate_that_is_not_right_is_not_installed(string wrong, string reason)
    {
        await using var host = await JoinFixture.StartAsync();
        var right = host.Authority;
        var other = Authority.Root(wrong.Contains("same name", StringComparison.Ordinal) ? "Provisioner 1" : "Other");
        host.Appliance.Issue = key => wrong switch
        {
            "another name" => [right.IssueHost(key, "worker-2")],
            "another alternative name" => [right.IssueHost(key, alternativeName: "worker-2")],
            "two names in one" => [right.IssueHost(key, "worker-1+CN=worker-2", "worker-1")],
            "another key" => [right.IssueHost(new PublicKey(ECDsa.Create(ECCurve.NamedCurves.nistP256)))],
            "ended" => [right.IssueHost(key, begin: -9, end: -0.01)],
            "not begun" => [right.IssueHost(key, begin: 0.1)],
            "for servers" => [right.IssueHost(key, forServers: true)],
            "nothing" => [],
            _ => [other.IssueHost(key), other.Certificate],
        };

        var run = await host.RunAsync("enrol", "--attempts", "1");

        Assert.True(run.Exit == 1 && run.Said.Contains(reason, StringComparison.Ordinal), run.Said);
        AssertNoCertificate(host);
        Assert.True(File.Exists(host.Token));
    }

    [Fact]
    public async Task The_right_certificate_can_come_after_a_wrong_one()
    {
        await using var host = await JoinFixture.StartAsync();
        host.Appliance.Next(Paths.Enrol, context => AnswerAsync(context, Authority.Root("Other")), context => AnswerAsync(context, host.Authority));

        var run = await host.RunAsync("enrol");

        Assert.True(run.Exit == 0 && run.Said.Contains("it does not verify", StringComparison.Ordinal), run.Said);
        Assert.Single(host.Appliance.Asked.Where(a => a.Path == Paths.Enrol).Select(a => a.Body).Distinct());
        host.AssertPair();
    }

    [Theory]
    [InlineData("", "no certificate")]
    [InlineData("<html>login</html>", "is not base64 of a PKCS#7")]
    [InlineData("MIIB", "is not base64 of a PKCS#7")]
    [InlineData("big", "is longer than 65536 bytes")]
    [InlineData("big, in pieces", "is longer than 65536 bytes")]
    public async Task An_answer_that_is_no_certificate_is_not_installed(string answer, string reason)
    {
        await using var host = await JoinFixture.StartAsync();
        host.Appliance.Always[Paths.Enrol] = async context =>
        {
            var text = answer.StartsWith("big", StringComparison.Ordinal) ? new string('A', 3_000_000) : answer;
            if (answer == "big")
                context.Response.ContentLength = text.Length;
            await context.Response.WriteAsync(text);
        };

        var run = await host.RunAsync("enrol", "--attempts", "1");

        Assert.True(run.Exit == 1 && (answer.Length == 0 || run.Said.Contains(reason, StringComparison.Ordinal)), run.Said);
        AssertNoCertificate(host);
    }

    [Theory]
    [InlineData(400, "The name in the request is not worker-1.")]
    [InlineData(401, "The token has ended at noon.")]
    [InlineData(403, "The installation is closed.")]
    public async Task A_refusal_ends_it_with_the_reason(int status, string reason)
    {
        await using var host = await JoinFixture.StartAsync();
        host.Appliance.Always[Paths.Enrol] = ApplianceDouble.Answer(status, $"\e[31m{reason}\r\nmore\n");

        var run = await host.RunAsync("enrol");

        Assert.Equal(1, run.Exit);
        Assert.EndsWith($"The appliance refuses (HTTP {status}): [31m{reason}\n", run.Said, StringComparison.Ordinal);
        Assert.Equal(1, host.Appliance.Enrolments);
        Assert.Empty(host.Slept);
        Assert.True(File.Exists(host.Token));
        AssertNoCertificate(host);
    }

    [Fact]
    public async Task An_answer_that_was_lost_is_asked_for_again_by_the_same_request()
    {
        await using var host = await JoinFixture.StartAsync();
        X509Certificate2? issued = null;
        host.Appliance.Issue = key => [issued ??= host.Authority.IssueHost(key)];
        host.Appliance.Next(Paths.Enrol, host.Appliance.IssueAndCutAsync, ApplianceDouble.Cut);

        var run = await host.RunAsync("enrol");

        Assert.True(run.Exit == 0, run.Said);
        Assert.Single(host.Appliance.Asked.Where(a => a.Path == Paths.Enrol).Select(a => a.Body).Distinct());
        Assert.Equal(3, host.Appliance.Enrolments);
        Assert.Equal(issued!.Thumbprint, host.LoadCertificate().Thumbprint);
        host.AssertPair();
    }

    [Theory]
    [InlineData(503, "7", 7, 7)]
    [InlineData(202, "11", 11, 11)]
    [InlineData(503, "99999999999999999999", 3600, 3600)]
    [InlineData(503, "Wed, 21 Oct 2026 07:28:00 GMT", 5, 7)]
    [InlineData(500, null, 5, 7)]
    public async Task Waits_as_long_as_it_is_told(int status, string? retryAfter, int least, int most)
    {
        await using var host = await JoinFixture.StartAsync();
        host.Appliance.Next(Paths.Enrol, ApplianceDouble.Answer(status, "The clock is being set.", retryAfter));

        var run = await host.RunAsync("enrol");

        Assert.True(run.Exit == 0, run.Said);
        Assert.Contains("The clock is being set. Trying again in ", run.Said, StringComparison.Ordinal);
        Assert.InRange(Assert.Single(host.Slept), least, most);
    }

    [Fact]
    public async Task Waits_longer_each_time_up_to_five_minutes()
    {
        await using var host = await JoinFixture.StartAsync();
        host.Appliance.Next(Paths.Enrol, [.. Enumerable.Repeat<RequestDelegate>(ApplianceDouble.Cut, 8)]);

        var run = await host.RunAsync("enrol");

        Assert.True(run.Exit == 0, run.Said);
        int[] least = [5, 10, 20, 40, 80, 160, 300, 300];
        Assert.Equal(least.Length, host.Slept.Length);
        foreach (var (slept, from) in host.Slept.Zip(least))
            Assert.InRange(slept, from, from + from / 2);
    }

    // busybox: without flock the lock of the run that was killed is still there.
    [Theory]
    [InlineData("dash")]
    [InlineData("busybox")]
    public async Task Goes_on_after_a_reboot_in_the_middle(string distribution)
    {
        await using var host = await JoinFixture.StartAsync(distribution);
        var issued = new TaskCompletionSource();
        host.Appliance.Next(Paths.Enrol, async context =>
        {
            await host.Appliance.IssueAndCutAsync(context);
            issued.SetResult();
        });
        // The wait after the failure does not end.
        host.AddProgram("sleep", "#!/bin/sh\nexec /usr/bin/sleep 60\n");
        using var process = host.Start("enrol");
        await issued.Task.WaitAsync(TimeSpan.FromSeconds(20));
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
        AssertNoCertificate(host);
        Assert.Equal("600", Mode(host.File("etc/iam/pki/server.key.new")));

        var run = await host.RunAsync("enrol");

        Assert.True(run.Exit == 0, run.Said);
        Assert.Equal(2, host.Appliance.Enrolments);
        Assert.Single(host.Appliance.Asked.Where(a => a.Path == Paths.Enrol).Select(a => a.Body).Distinct());
        host.AssertPair();
        Assert.Equal(["renewal.state"], host.StateFiles);
    }

    [Fact]
    public async Task A_request_for_another_name_is_not_sent_again()
    {
        await using var host = await JoinFixture.StartAsync();
        host.Appliance.Always[Paths.Enrol] = ApplianceDouble.Answer(401, "no");
        var configuration = await File.ReadAllTextAsync(host.Configuration);
        await File.WriteAllTextAsync(host.Configuration, configuration.Replace("HOST=worker-1", "HOST=worker-9", StringComparison.Ordinal));
        await host.RunAsync("enrol");
        await File.WriteAllTextAsync(host.Configuration, configuration);
        host.Appliance.Always.Clear();

        var run = await host.RunAsync("enrol", "--attempts", "1");

        Assert.True(run.Exit == 0, run.Said);
        host.AssertPair();
    }

    [Fact]
    public async Task A_new_token_enrols_anew()
    {
        await using var host = await JoinFixture.EnrolledAsync();
        var before = await File.ReadAllTextAsync(host.Key);
        await File.WriteAllTextAsync(host.Token, ApplianceDouble.Token);

        var run = await host.RunAsync("enrol");

        Assert.True(run.Exit == 0, run.Said);
        Assert.Equal(1, host.Appliance.Enrolments);
        Assert.NotEqual(before, await File.ReadAllTextAsync(host.Key));
        host.AssertPair();
        Assert.False(File.Exists(host.Token));
    }

    [Theory]
    [InlineData("dash")]
    [InlineData("busybox")]
    public async Task The_token_is_in_no_command_line_and_no_environment(string distribution)
    {
        await using var host = await JoinFixture.StartAsync(distribution);
        // curl overwrites some of its arguments once it runs, so they are taken before that as well.
        host.AddProgram("curl", $"#!/bin/sh\nprintf '%s\\n' \"$@\" >>'{host.Beside("arguments")}'\nexec {JoinFixture.Require("curl")} \"$@\"\n");
        var seen = new List<string>();
        host.Appliance.Next(Paths.Enrol, context =>
        {
            foreach (var process in Directory.GetDirectories("/proc").Where(name => char.IsDigit(Path.GetFileName(name)[0])))
            {
                foreach (var file in (string[])["cmdline", "environ"])
                {
                    try
                    {
                        seen.Add(File.ReadAllText(Path.Combine(process, file)));
                    }
                    catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                    {
                        // It ended, or is somebody else's.
                    }
                }
            }
            return ApplianceDouble.Answer(503, "wait")(context);
        });

        var run = await host.RunAsync("enrol");

        Assert.True(run.Exit == 0, run.Said);
        // It was looked for at the right time.
        Assert.Contains(seen, text => text.Contains("curl\0", StringComparison.Ordinal) && text.Contains(host.Appliance.Address + Paths.Enrol, StringComparison.Ordinal));
        seen.Add(await File.ReadAllTextAsync(host.Beside("arguments")));
        Assert.Contains("--cacert", seen[^1], StringComparison.Ordinal);
        foreach (var secret in (string[])[ApplianceDouble.Token, Convert.ToBase64String(Encoding.UTF8.GetBytes($"{ApplianceDouble.Installation}:{ApplianceDouble.Token}"))])
            Assert.DoesNotContain(seen, text => text.Contains(secret, StringComparison.Ordinal));
        Assert.DoesNotContain(ApplianceDouble.Token, run.Said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("dash")]
    [InlineData("busybox")]
    public async Task Two_runs_do_not_meet(string distribution)
    {
        await using var host = await JoinFixture.StartAsync(distribution);
        Run? second = null;
        host.Appliance.Next(Paths.Enrol, async context =>
        {
            second = await host.RunAsync("enrol");
            await ApplianceDouble.Answer(503, "wait")(context);
        });

        var first = await host.RunAsync("enrol");

        Assert.True(first.Exit == 0, first.Said);
        Assert.Equal(1, second!.Exit);
        Assert.Contains("Another provisioner-certificate is at work", second.Said, StringComparison.Ordinal);
        Assert.Equal(2, host.Appliance.Enrolments);
    }

    [Theory]
    [InlineData("APPLIANCE=http://192.0.2.1:8443", "APPLIANCE is \"http://192.0.2.1:8443\"; it must be https://")]
    [InlineData("APPLIANCE=https://a.example:8443/x", "APPLIANCE is")]
    [InlineData("APPLIANCE=https://user@a.example", "APPLIANCE is")]
    [InlineData("APPLIANCE=https://a.example:84430000", "APPLIANCE is")]
    [InlineData("APPLIANCE=https://[::1", "APPLIANCE is")]
    [InlineData("HOST=Worker_1", "HOST is \"Worker_1\"; it must be a name")]
    [InlineData("HOST=$(touch touched)", "HOST is")]
    [InlineData("INSTALLATION=a:b", "INSTALLATION is \"a:b\"")]
    [InlineData("INSTALLATION=a\rb", "INSTALLATION is \"a b\"")]
    [InlineData("REKEY=maybe", "REKEY is \"maybe\"; it must be yes or no.")]
    [InlineData("KOLOUR=red", "line 1 has the key \"KOLOUR\"; the keys are")]
    [InlineData("just words", "line 1, \"just words\", is not KEY=VALUE.")]
    [InlineData("HOST=worker-1\nHOST=worker-1", "line 2 gives HOST once more")]
    [InlineData("", "HOST is \"\"")]
    public async Task A_mistake_in_the_configuration_is_named(string text, string mistake)
    {
        await using var host = await JoinFixture.StartAsync();
        await File.WriteAllTextAsync(host.Configuration, text);

        var run = await host.RunAsync("enrol");

        Assert.True(run.Exit == 2 && run.Said.Contains(mistake, StringComparison.Ordinal), run.Said);
        Assert.Empty(host.Appliance.Asked);
    }

    [Theory]
    [InlineData("", "is missing")]
    [InlineData("one \"two\nurl = https://evil", "is damaged")]
    public async Task A_damaged_token_is_not_sent(string token, string reason)
    {
        await using var host = await JoinFixture.StartAsync();
        await File.WriteAllTextAsync(host.Token, token);

        var run = await host.RunAsync("enrol");

        Assert.True(run.Exit == 1 && run.Said.Contains(reason, StringComparison.Ordinal), run.Said);
        Assert.Empty(host.Appliance.Asked);
    }

    private static async Task AnswerAsync(HttpContext context, Authority authority)
    {
        var request = CertificateRequest.LoadSigningRequest(Convert.FromBase64String(await ApplianceDouble.BodyAsync(context)), HashAlgorithmName.SHA256);
        await context.Response.WriteAsync(Convert.ToBase64String(new X509Certificate2Collection(authority.IssueHost(request.PublicKey)).Export(X509ContentType.Pkcs7)!));
    }

    private static void AssertNoCertificate(JoinFixture host)
    {
        Assert.False(File.Exists(host.Certificate));
        Assert.False(File.Exists(host.Key));
    }

    private static string Mode(string file) => Convert.ToString((int)File.GetUnixFileMode(File.ResolveLinkTarget(file, returnFinalTarget: true)?.FullName ?? file), 8);
}
