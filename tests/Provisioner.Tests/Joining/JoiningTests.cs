using Microsoft.AspNetCore.Http;
using Provisioner.Tests.Join;

namespace Provisioner.Tests.Joining;

/// <summary>provisioner-join against a double of the appliance, with a nodeadm that notes what it is asked for.</summary>
public sealed class JoiningTests
{
    private static readonly string[] Steps = ["preflight", "artifacts", "containerd", "install", "check", "init", "joined"];

    public static TheoryData<string> Distributions => JoinHost.Distributions;

    [Theory]
    [MemberData(nameof(Distributions))]
    public async Task Joins(string distribution)
    {
        await using var host = await JoiningHost.EnrolledAsync(distribution);

        var run = await host.JoinAsync("run");

        host.AssertJoined(run);
        Assert.Equal(["preflight", host.Install, host.Check, host.Init], host.Calls);
        Assert.Equal(Steps, host.Appliance.Stages.Where(stage => stage.State == "done").Select(stage => stage.Name));
        Assert.DoesNotContain(host.Appliance.Stages, stage => stage.State == "failed");
        Assert.Equal("swap\tpass\tno swap\t\t\n", Assert.Single(host.Appliance.Findings));
        Assert.Contains("This host has joined prod", Assert.Single(host.Appliance.Logs), StringComparison.Ordinal);
        Assert.Equal(("755", "644", "600"), (Mode(host.Nodeadm), Mode(host.File("opt/eks/manifest.yaml")), Mode(host.NodeConfig)));
        Assert.Equal(host.Appliance.NodeConfig, await File.ReadAllTextAsync(host.NodeConfig));
        Assert.Empty(host.Slept);

        // The next boot, and the timer.
        host.Appliance.Asked.Clear();
        run = await host.JoinAsync("run");
        Assert.True(run.Exit == 0 && run.Said.Contains("This host has joined (1.34).", StringComparison.Ordinal), run.Said);
        Assert.Equal(4, host.Calls.Length);
        Assert.Empty(host.Appliance.Asked);

        run = await host.JoinAsync("check");
        Assert.True(run.Exit == 0, run.Said);
        Assert.Contains("This host has joined: version=1.34 cluster=prod", run.Said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("install", "dash", 2, 1, 1)]
    [InlineData("install", "busybox", 2, 1, 1)]
    [InlineData("config", "dash", 1, 2, 1)]
    [InlineData("init", "dash", 1, 1, 2)]
    [InlineData("init", "bash", 1, 1, 2)]
    public async Task Cut_off_in_nodeadm_it_repeats_that_step_alone(string command, string distribution, int installs, int checks, int inits)
    {
        await using var host = await JoiningHost.EnrolledAsync(distribution);
        await host.CutOffAsync(command);
        Assert.False(File.Exists(host.Joined));

        var run = await host.JoinAsync("run");

        host.AssertJoined(run);
        Assert.Contains("was cut off", run.Said, StringComparison.Ordinal);
        Assert.Equal((1, installs, checks, inits), (host.Calls.Count(call => call == "preflight"), host.Calls.Count(call => call == host.Install), host.Calls.Count(call => call == host.Check), host.Calls.Count(call => call == host.Init)));
        Assert.Equal(1, host.Appliance.TimesAsked("/artifacts/nodeadm/amd64/nodeadm"));
    }

    [Fact]
    public async Task Cut_off_in_the_package_manager_it_mends_what_that_left_first()
    {
        await using var host = await JoiningHost.EnrolledAsync();
        host.Remove("containerd", "runc");
        await host.CutOffAsync("apt-get");

        var run = await host.JoinAsync("run");

        host.AssertJoined(run);
        Assert.Equal(["dpkg --configure -a", "apt-get"], host.Calls.Where(call => call.StartsWith("dpkg", StringComparison.Ordinal) || call.StartsWith("apt-get", StringComparison.Ordinal)).Skip(2).Select(call => call.StartsWith("apt-get", StringComparison.Ordinal) ? "apt-get" : call));
        Assert.EndsWith("install containerd runc", host.Calls.Last(call => call.StartsWith("apt-get", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Equal(1, host.Appliance.TimesAsked("/artifacts/nodeadm/amd64/nodeadm"));
    }

    [Theory]
    [InlineData("/artifacts/nodeadm/amd64/nodeadm")]
    [InlineData("/artifacts/manifest.yaml")]
    [InlineData("/api/v1/self/nodeconfig")]
    public async Task Cut_off_in_a_download_it_starts_that_anew(string path)
    {
        await using var host = await JoiningHost.EnrolledAsync();
        var asked = new TaskCompletionSource();
        host.Appliance.Instead[path] = async context =>
        {
            await context.Response.WriteAsync("half of ");
            await context.Response.Body.FlushAsync();
            asked.SetResult();
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
        };
        using (var process = host.StartJoin("run"))
        {
            await asked.Task.WaitAsync(TimeSpan.FromSeconds(60));
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
        }
        host.Appliance.Instead.Clear();

        var run = await host.JoinAsync("run");

        host.AssertJoined(run);
        Assert.Equal(["preflight", host.Install, host.Check, host.Init], host.Calls);
        Assert.Equal(host.Appliance.NodeConfig, await File.ReadAllTextAsync(host.NodeConfig));
    }

    // After a power cut the disk may not have what a mark says.
    [Theory]
    [InlineData("usr/local/bin/nodeadm", 1)]
    [InlineData("opt/eks/manifest.yaml", 1)]
    [InlineData("usr/bin/kubelet", 2)]
    [InlineData("opt/nodeadm/tracker", 2)]
    public async Task A_mark_alone_proves_nothing(string lost, int installs)
    {
        await using var host = await JoiningHost.EnrolledAsync();
        await host.CutOffAsync("init");
        File.WriteAllText(host.File(lost), "");
        if (lost.EndsWith("tracker", StringComparison.Ordinal))
            File.Delete(host.File(lost));

        host.AssertJoined(await host.JoinAsync("run"));

        Assert.Equal(installs, host.Calls.Count(call => call == host.Install));
        Assert.NotEqual(0, new FileInfo(host.File(lost)).Length);
    }

    [Fact]
    public async Task Goes_on_while_the_appliance_is_away()
    {
        await using var host = await JoiningHost.EnrolledAsync();
        host.Remove("containerd", "runc");
        // From the manifest on, for as many questions as two rounds have.
        host.Appliance.Watch = path =>
        {
            if (path != "/artifacts/manifest.yaml")
                return;
            host.Appliance.Away = 6;
            host.Appliance.Watch = null;
        };

        var run = await host.JoinAsync("run");

        host.AssertJoined(run);
        Assert.NotEmpty(host.Slept);
        Assert.Contains("Going on with what it said before.", run.Said, StringComparison.Ordinal);
        // The packages did not wait for the manifest, and what happened meanwhile was told in its order.
        Assert.Contains(host.Calls, call => call.StartsWith("apt-get", StringComparison.Ordinal));
        var stages = host.Appliance.Stages.Select(stage => $"{stage.Name} {stage.State}").ToList();
        Assert.True(stages.IndexOf("containerd done") < stages.IndexOf("artifacts done"), string.Join('\n', stages));
        Assert.Contains(host.Appliance.Stages, stage => stage is { Name: "artifacts", State: "failed" } && stage.Message.Contains("manifest.yaml could not be fetched", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Has_joined_also_when_the_appliance_cannot_be_told_and_tells_it_later()
    {
        await using var host = await JoiningHost.EnrolledAsync();
        host.Appliance.Watch = path =>
        {
            if (path == "/api/v1/self/nodeconfig")
                host.Appliance.Away = int.MaxValue;
        };
        File.WriteAllText(Directory.CreateDirectory(Path.GetDirectoryName(host.NodeConfig)!).FullName + "/nodeconfig.yaml", host.Appliance.NodeConfig);

        var run = await host.JoinAsync("run");

        Assert.True(run.Exit == 1 && run.Said.Contains("they are kept, and sent later", StringComparison.Ordinal), run.Said);
        Assert.True(File.Exists(host.Joined));
        Assert.Equal(["preflight", host.Install, host.Check, host.Init], host.Calls);
        Assert.DoesNotContain(host.Appliance.Stages, stage => stage.Name is "init" or "joined");
        Assert.NotEmpty(host.Outbox);

        host.Appliance.Watch = null;
        host.Appliance.Away = 0;
        host.AssertJoined(await host.JoinAsync("run"));
        Assert.Equal(["install", "check", "init", "joined"], host.Appliance.Stages.Where(stage => stage.State == "done").Select(stage => stage.Name).TakeLast(4));
        Assert.Single(host.Appliance.Logs);
        Assert.Equal(4, host.Calls.Length);
    }

    [Fact]
    public async Task Tries_again_with_growing_delays_when_nodeadm_fails()
    {
        await using var host = await JoiningHost.EnrolledAsync();
        host.Fails("init", 3);

        var run = await host.JoinAsync("run");

        host.AssertJoined(run);
        Assert.Equal(4, host.Calls.Count(call => call == host.Init));
        Assert.Single(host.Calls, host.Install);
        Assert.Contains("nodeadm init failed (exit 1): init has its reasons Trying again in", run.Said, StringComparison.Ordinal);
        Assert.Equal(3, host.Slept.Length);
        // The first failing round brought something new, so that the delay begins after it.
        Assert.True(host.Slept[0] is >= 5 and <= 7 && host.Slept[1] is >= 10 and <= 15 && host.Slept[2] is >= 20 and <= 30, string.Join(' ', host.Slept));
        // Once, though it failed three times, and with the log that says more.
        Assert.Equal(["started", "failed", "done"], host.Appliance.Stages.Where(stage => stage.Name == "init").Select(stage => stage.State));
        Assert.Equal(2, host.Appliance.Logs.Count);
        Assert.Contains("init has its reasons", host.Appliance.Logs.First(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_step_that_does_not_end_is_stopped()
    {
        await using var host = await JoiningHost.EnrolledAsync();
        host.AddProgram("timeout", "#!/bin/sh\n[ \"$3\" != 1500 ] || limit=1\nshift 3\nexec /usr/bin/timeout -k 1 \"${limit-60}\" \"$@\"\n");
        host.Hangs("install");

        var run = await host.JoinAsync("run", "--attempts", "1");

        Assert.Equal(1, run.Exit);
        Assert.Contains("nodeadm install did not end within 1500 s and was stopped.", run.Said, StringComparison.Ordinal);
        Assert.Equal(new Stage("install", "failed", "nodeadm install did not end within 1500 s and was stopped. Its last words: it said nothing"), host.Appliance.Stages.Last());
        Assert.DoesNotContain(host.Check, host.Calls);
    }

    [Fact]
    public async Task Waits_as_long_as_the_appliance_says_so()
    {
        await using var host = await JoiningHost.EnrolledAsync();
        host.Appliance.Says["state"] = "wait";
        host.Appliance.Says["reason"] = "the access entry is being made";
        host.Appliance.Watch = path =>
        {
            if (host.Appliance.TimesAsked("/api/v1/self/join") == 8)
                host.Appliance.Says["state"] = "ready";
        };

        var run = await host.JoinAsync("run");

        host.AssertJoined(run);
        Assert.Single(run.Said.Split('\n'), line => line.Contains("The appliance says to wait: the access entry is being made", StringComparison.Ordinal));
        Assert.True(host.Slept.Length is 8 && host.Slept.All(seconds => seconds <= 90), string.Join(' ', host.Slept));
        Assert.DoesNotContain(host.Appliance.Stages, stage => stage.State == "failed");
    }

    [Theory]
    [InlineData("state", "refused", "The appliance refuses: the host is retired")]
    [InlineData("state", "later", "has state=\"later\", which cannot be")]
    [InlineData("region", "-eu", "has region=\"-eu\", which cannot be")]
    [InlineData("kubernetes", "--help", "has kubernetes=\"--help\", which cannot be")]
    [InlineData("provider", "vault", "it must be iam-ra or ssm")]
    [InlineData("nodeadm", "../../etc/shadow", "has nodeadm=\"../../etc/shadow\", which cannot be")]
    [InlineData("artifacts", "file:///etc", "has artifacts=\"file:///etc\", which cannot be")]
    public async Task An_answer_that_cannot_be_followed_ends_it_with_the_reason(string key, string value, string said)
    {
        await using var host = await JoiningHost.EnrolledAsync();
        host.Appliance.Says[key] = value;
        host.Appliance.Says["reason"] = "the host is retired";

        // A refusal ends it by itself.
        var run = await (value == "refused" ? host.JoinAsync("run") : host.JoinAsync("run", "--attempts", "2"));

        Assert.True(run.Exit == 1 && run.Said.Contains(said, StringComparison.Ordinal), run.Said);
        Assert.Empty(host.Calls);
    }

    [Fact]
    public async Task A_certificate_that_is_not_taken_ends_it()
    {
        await using var host = await JoiningHost.EnrolledAsync();
        host.Appliance.Instead["/api/v1/self/join"] = context =>
        {
            context.Response.StatusCode = 403;
            return context.Response.WriteAsync("the certificate was revoked");
        };

        var run = await host.JoinAsync("run");

        Assert.True(run.Exit == 1 && run.Said.Contains("does not accept this host's certificate (HTTP 403): the certificate was revoked", StringComparison.Ordinal), run.Said);
        Assert.Empty(host.Calls);
    }

    [Fact]
    public async Task Without_a_certificate_it_waits_for_the_enrolment()
    {
        await using var host = await JoiningHost.EnrolledAsync();
        File.Move(host.Certificate, host.Certificate + ".later");

        var run = await host.JoinAsync("run", "--attempts", "3");

        Assert.True(run.Exit == 1 && run.Said.Contains("This host has no certificate yet", StringComparison.Ordinal), run.Said);
        Assert.Equal(2, host.Slept.Length);
        Assert.Empty(host.Appliance.Asked);

        File.Move(host.Certificate + ".later", host.Certificate);
        host.AssertJoined(await host.JoinAsync("run"));
    }

    [Fact]
    public async Task A_failing_preflight_stops_it_before_nodeadm_unless_told_otherwise()
    {
        await using var host = await JoiningHost.EnrolledAsync();
        host.Finds("swap\tfail\tswap is on: /dev/sda2\tnodeadm init ends\tswapoff -a", "rtt\twarn\t240 ms\tHeartbeats\tA nearer Region");

        var run = await host.JoinAsync("run", "--attempts", "2");

        Assert.Equal(1, run.Exit);
        Assert.Contains("1 finding stops the join. swap: swap is on: /dev/sda2", run.Said, StringComparison.Ordinal);
        Assert.Contains("To do: swapoff -a", run.Said, StringComparison.Ordinal);
        Assert.Equal(["preflight", "preflight"], host.Calls);
        Assert.Equal(new Stage("preflight", "failed", "1 finding stops the join. swap: swap is on: /dev/sda2"), host.Appliance.Stages.Last());
        Assert.Equal("swap\tfail\tswap is on: /dev/sda2\tnodeadm init ends\tswapoff -a\nrtt\twarn\t240 ms\tHeartbeats\tA nearer Region\n", host.Appliance.Findings.First());

        host.AssertJoined(await host.JoinAsync("run", "--ignore", "mtu,swap"));
        Assert.Contains(new Stage("preflight", "done", "2 checks, 1 to look at"), host.Appliance.Stages);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_is_not_what_its_checksum_says_is_not_run(bool overTls)
    {
        await using var host = await JoiningHost.EnrolledAsync();
        var right = host.Appliance.Artifacts["nodeadm/amd64/nodeadm"];
        if (overTls)
            // The one who replaced nodeadm replaced its checksum as well, but not what the appliance says over TLS.
            host.Appliance.Says["nodeadmsha256"] = host.Appliance.Artifacts["nodeadm/amd64/nodeadm.sha256"].Split(' ')[0];
        host.Offer("#!/bin/sh\necho owned\n", overTls ? null : right);

        var run = await host.JoinAsync("run", "--attempts", "1");

        Assert.True(run.Exit == 1 && run.Said.Contains("is not what the appliance's checksum says", StringComparison.Ordinal), run.Said);
        Assert.False(File.Exists(host.Nodeadm));
        Assert.Equal(["preflight"], host.Calls);

        host.Offer(right);
        host.AssertJoined(await host.JoinAsync("run"));
    }

    [Fact]
    public async Task No_secret_leaves_the_host_or_reaches_its_log()
    {
        await using var host = await JoiningHost.EnrolledAsync();
        const string Code = "Qx7pN0tForAnyLogAtAll", Id = "6d8a3c1e-0000-4000-8000-0123456789ab";
        host.Appliance.Says["provider"] = "ssm";
        host.Appliance.NodeConfig = $"apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n  hybrid:\n    ssm:\n      activationCode: \"{Code}\"\n      activationId: {Id}\n";
        await File.WriteAllTextAsync(host.Beside("says"), $$"""
            registering with {{Code}} as {{Id}}: https://ssm.example/?x={{Code}}&X-Amz-Signature=s1gn4ture&X-Amz-Security-Token=t0ken
            {"activationCode":"an0therC0deNotInTheFile","msg":"hello"}
            aws_secret_access_key = s3cr3tKey "SessionToken": "s3ssi0n"
            GET / Authorization: Bearer b34rer
            token k8s-aws-v1.aHR0cHM6Ly9zdHM
            via http://user:pa55w0rd@proxy:3128/
            -----BEGIN EC PRIVATE KEY-----
            MHcCAQEEpr1vate
            -----END EC PRIVATE KEY-----
            what may be read
            """.ReplaceLineEndings("\n") + "\n");
        host.Fails("init");

        var run = await host.JoinAsync("run");

        host.AssertJoined(run);
        Assert.Equal("600", Mode(host.NodeConfig));
        string[] told = [run.Said, await File.ReadAllTextAsync(host.Log), .. host.Appliance.Logs, .. host.Appliance.Stages.Select(stage => stage.Message), .. host.AllCalls];
        Assert.Contains(told, text => text.Contains("what may be read", StringComparison.Ordinal));
        // Until the NodeConfig is there, its activation is known to nobody: all but install know it.
        foreach (var secret in (string[])[Code, Id, "s1gn4ture", "t0ken", "an0therC0de", "s3cr3tKey", "s3ssi0n", "b34rer", "aHR0cHM6", "pa55w0rd", "pr1vate"])
            Assert.DoesNotContain(told, text => text[Math.Max(0, text.IndexOf("config check", StringComparison.Ordinal))..].Contains(secret, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_proxy_is_for_nodeadm_and_its_services_and_the_appliance_is_asked_directly()
    {
        await using var host = await JoiningHost.EnrolledAsync();

        // JoinHost sets https_proxy to one where nobody listens.
        host.AssertJoined(await host.JoinAsync("run"));

        var environment = await File.ReadAllTextAsync(host.Beside("environment"));
        Assert.Contains("proxy http://127.0.0.1:1, not for 127.0.0.1", environment, StringComparison.Ordinal);
        foreach (var service in (string[])["containerd", "kubelet"])
            Assert.Contains("Environment=\"HTTPS_PROXY=http://127.0.0.1:1\"", await File.ReadAllTextAsync(host.File($"etc/systemd/system/{service}.service.d/http-proxy.conf")), StringComparison.Ordinal);
        Assert.Contains("systemctl daemon-reload", host.AllCalls);
    }

    [Fact]
    public async Task Installs_what_is_missing_with_apt_also_with_lists_that_are_old()
    {
        await using var host = await JoiningHost.EnrolledAsync();
        host.Remove("containerd", "runc", "iptables", "conntrack");
        host.Fails("apt-get");

        host.AssertJoined(await host.JoinAsync("run"));

        var apt = host.Calls.Where(call => call.StartsWith("apt-get ", StringComparison.Ordinal)).ToList();
        Assert.Equal(3, apt.Count);
        Assert.EndsWith(" install containerd runc iptables conntrack", apt[0], StringComparison.Ordinal);
        Assert.EndsWith(" update", apt[1], StringComparison.Ordinal);
        Assert.Equal(apt[0], apt[2]);
    }

    // busybox alone: nothing of Debian's is on the path.
    [Fact]
    public async Task Installs_what_is_missing_with_dnf_and_says_where_containerd_comes_from()
    {
        await using var host = await JoiningHost.EnrolledAsync("busybox");
        host.Remove("apt-get", "dpkg", "containerd", "runc", "conntrack");
        host.Fails("dnf");

        var run = await host.JoinAsync("run", "--attempts", "1");
        Assert.True(run.Exit == 1 && run.Said.Contains("containerd.io comes from Docker's repository, or a mirror of it", StringComparison.Ordinal), run.Said);

        host.AssertJoined(await host.JoinAsync("run"));
        Assert.Equal("dnf -y --setopt=install_weak_deps=False install containerd.io conntrack-tools", host.Calls.Last(call => call.StartsWith("dnf", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Upgrades_when_the_appliance_wants_another_version()
    {
        await using var host = await JoiningHost.EnrolledAsync();
        host.AssertJoined(await host.JoinAsync("run"));
        var run = await host.JoinAsync("upgrade");
        Assert.True(run.Exit == 0 && run.Said.Contains("No other version than 1.34 is wanted.", StringComparison.Ordinal), run.Said);

        host.Appliance.Says["desired"] = "1.35.1";
        host.Fails("upgrade");
        run = await host.JoinAsync("upgrade");
        Assert.True(run.Exit == 1 && run.Said.Contains("The upgrade to 1.35.1 failed (attempt 1)", StringComparison.Ordinal), run.Said);
        Assert.Equal(("install", "failed"), (host.Appliance.Stages.Last().Name, host.Appliance.Stages.Last().State));

        // Not before its time.
        run = await host.JoinAsync("upgrade");
        Assert.True(run.Exit == 1 && run.Said.Contains("the next one is not before", StringComparison.Ordinal), run.Said);
        var upgrade = $"nodeadm upgrade 1.35.1 -c file://{host.NodeConfig} -m file://{host.File("opt/eks/manifest.yaml")}";
        Assert.Single(host.Calls, upgrade);

        host.Appliance.Artifacts["manifest.yaml"] = "supported_eks_releases:\n- major_minor_version: \"1.35\"\n";
        run = await host.JoinAsync("upgrade", "--now");
        Assert.True(run.Exit == 0, run.Said);
        Assert.Equal([host.Check, upgrade], host.Calls.TakeLast(2));
        Assert.Contains("version=1.35.1\n", await File.ReadAllTextAsync(host.Joined), StringComparison.Ordinal);
        Assert.Contains("1.35", await File.ReadAllTextAsync(host.File("opt/eks/manifest.yaml")), StringComparison.Ordinal);
        Assert.Equal(new Stage("joined", "done", "upgraded to 1.35.1"), host.Appliance.Stages.Last());

        run = await host.JoinAsync("upgrade");
        Assert.True(run.Exit == 0 && run.Said.Contains("No other version than 1.35.1 is wanted.", StringComparison.Ordinal), run.Said);
    }

    [Fact]
    public async Task Leaves_by_hand_alone_and_does_not_come_back_by_itself()
    {
        await using var host = await JoiningHost.EnrolledAsync();
        host.AssertJoined(await host.JoinAsync("run"));
        Directory.CreateDirectory(host.File("etc/cni/net.d"));
        await File.WriteAllTextAsync(host.File("etc/cni/net.d/05-cilium.conflist"), "{}");

        Assert.Equal(2, (await host.JoinAsync("leave")).Exit);
        Assert.DoesNotContain("nodeadm uninstall", host.Calls);

        host.Fails("uninstall");
        var run = await host.JoinAsync("leave", "--yes");
        Assert.True(run.Exit == 1 && run.Said.Contains("provisioner-join leave --yes --force", StringComparison.Ordinal), run.Said);
        Assert.True(File.Exists(host.Joined));

        run = await host.JoinAsync("leave", "--yes", "--force");
        Assert.True(run.Exit == 0 && run.Said.Contains("kubectl delete node worker-1", StringComparison.Ordinal), run.Said);
        Assert.Equal("nodeadm uninstall --skip pod-validation,node-validation", host.Calls.Last());
        Assert.Empty(Directory.GetFiles(host.File("etc/cni/net.d")));
        Assert.False(File.Exists(host.NodeConfig));

        run = await host.JoinAsync("run");
        Assert.True(run.Exit == 1 && run.Said.Contains("was taken out of its cluster by hand", StringComparison.Ordinal), run.Said);
        Assert.Equal("nodeadm uninstall --skip pod-validation,node-validation", host.Calls.Last());
    }

    [Fact]
    public async Task The_log_and_what_is_sent_of_it_have_an_end()
    {
        await using var host = await JoiningHost.EnrolledAsync();
        await File.WriteAllTextAsync(host.Beside("says"), string.Concat(Enumerable.Range(0, 40_000).Select(i => $"line {i} of a nodeadm that talks\n")));

        host.AssertJoined(await host.JoinAsync("run"));

        Assert.InRange(new FileInfo(host.Log).Length, 100_000, 1_500_000);
        Assert.InRange(host.Appliance.Logs.Last().Length, 60_000, 65_536);
        Assert.EndsWith("network plugin runs on it.\n", host.Appliance.Logs.Last(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_at_a_time()
    {
        await using var host = await JoiningHost.EnrolledAsync();
        host.Hangs("install");
        using var first = host.StartJoin("run");
        await JoiningHost.UntilAsync(() => File.Exists(host.Beside("hangs")), first);

        var run = await host.JoinAsync("run");

        Assert.True(run.Exit == 1 && run.Said.Contains("Another provisioner-join is at work", StringComparison.Ordinal), run.Said);
        first.Kill(entireProcessTree: true);
        await first.WaitForExitAsync();
    }

    private static string Mode(string path) => Convert.ToString((int)File.GetUnixFileMode(path), 8);
}
