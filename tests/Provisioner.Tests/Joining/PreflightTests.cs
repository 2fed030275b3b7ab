using System.Globalization;

namespace Provisioner.Tests.Joining;

/// <summary>Each finding of the preflight, provoked by what causes it, and named as what it is.</summary>
public sealed class PreflightTests(PreflightNetwork network) : IClassFixture<PreflightNetwork>
{
    private const string Forward = "{ type filter hook forward priority 0; }";
    private const string Endpoint = PreflightNetwork.Endpoint;
    private const string StsCode = $"tcp:{PreflightNetwork.Sts}:443";

    [Theory]
    [InlineData("dash")]
    [InlineData("bash --posix")]
    [InlineData("busybox sh")]
    public async Task A_right_host_in_a_right_network_passes(string shell)
    {
        network.SkipIfMissing();

        var findings = await network.FindAsync("", shell: shell);

        // How full this machine's disk is says nothing.
        Assert.True(findings.TrueForAll(finding => finding.State == "pass" || finding.Code == "disk"), string.Join('\n', findings));
        Assert.Equal(["hostname", "uuid", "cpu", "kernel", "cgroup-v2", "swap", "disk", "clock", "node-ip", "mtu", "firewall", "dns-endpoint", $"tcp:{Endpoint}:443", StsCode, "tcp:10.88.0.2:8443", "rtt", "bandwidth"],
            findings.Select(finding => finding.Code));
        Assert.Contains("TLS by CN=kubernetes", findings.Single(finding => finding.Code == $"tcp:{Endpoint}:443").Found, StringComparison.Ordinal);
    }

    // --- The network ---

    [Fact]
    public async Task A_firewall_that_drops()
    {
        await using var _ = await RulesAsync("router", Forward, "ip daddr 10.88.0.4 tcp dport 443 drop");
        await AssertAsync("tcp", StsCode, "fail", $"timeout: nothing comes back from {PreflightNetwork.Sts} (10.88.0.4) port 443", "the node cannot join", "allow this host (10.77.0.2) tcp 443 to sts.");
    }

    [Fact]
    public async Task A_firewall_that_refuses()
    {
        await using var _ = await RulesAsync("router", Forward, "ip daddr 10.88.0.3 tcp dport 443 reject with tcp reset");
        await AssertAsync("tcp", $"tcp:{Endpoint}:443", "fail", $"refused: {Endpoint} (10.88.0.3) port 443", "the node never appears", "a firewall that rejects");
    }

    [Fact]
    public async Task A_route_to_a_gateway_that_is_not_there()
    {
        network.SkipIfMissing();
        await using var _ = await network.RouteAsync("10.88.0.4/32", "via", "10.77.0.99");
        await AssertAsync("tcp", StsCode, "fail", "route: there is no way to", "the node cannot join", "ip route get 10.88.0.4");
    }

    [Fact]
    public async Task No_route()
    {
        network.SkipIfMissing();
        await using var _ = await network.RouteAsync("unreachable", "10.88.0.3/32");
        await AssertAsync("tcp", $"tcp:{Endpoint}:443", "fail", "route: there is no way to", "the node never appears", "the way back in the VPC's route tables");
    }

    [Fact]
    public async Task A_name_that_does_not_resolve()
    {
        var answer = With("endpoints", "rolesanywhere.eu-west-1.amazonaws.com:443");
        await AssertAsync("tcp", "tcp:rolesanywhere.eu-west-1.amazonaws.com:443", "fail", "DNS: rolesanywhere.eu-west-1.amazonaws.com does not resolve by 10.88.0.2", "No credentials", "why the DNS servers of this host", answer);
    }

    [Fact]
    public async Task TLS_that_is_intercepted()
    {
        await using var _ = await RulesAsync("far", "{ type nat hook prerouting priority -110; }", "ip daddr 10.88.0.4 tcp dport 443 redirect to :444");
        await AssertAsync("tcp", StsCode, "fail", "shows a certificate by CN=Corp Inspection CA, which this host does not trust: the connection is intercepted", "No credentials", "from TLS inspection");
    }

    // Where the company's authority is trusted here, curl is content; the kubelet, which trusts the cluster's own alone, is not.
    [Fact]
    public async Task TLS_of_the_endpoint_that_is_intercepted_by_an_authority_that_is_trusted_here()
    {
        network.SkipIfMissing();
        network.Put("both.pem", await File.ReadAllTextAsync(network["trusted.pem"]) + await File.ReadAllTextAsync(network["kubernetes.pem"]));
        await AssertAsync("tcp", $"tcp:{Endpoint}:443", "warn", "shows a certificate by CN=kubernetes that any program here trusts", "the node never appears", "exempt", environment: ("CURL_CA_BUNDLE", network["both.pem"]));
    }

    [Fact]
    public async Task Something_that_does_not_speak_TLS()
    {
        await using var _ = await RulesAsync("far", "{ type nat hook prerouting priority -110; }", "ip daddr 10.88.0.4 tcp dport 443 redirect to :8080");
        await AssertAsync("tcp", StsCode, "fail", "TLS: the handshake with", "No credentials", "without inspection");
    }

    [Fact]
    public async Task Three_hundred_milliseconds()
    {
        network.SkipIfMissing();
        var cable = network.Start("cable", "python3", PreflightNetwork.Script("delay.py"), "near", "away", "150");
        try
        {
            await PreflightNetwork.WaitForAsync(cable);
            var finding = await AssertAsync("rtt", "rtt", "warn", $"ms to slow.{Endpoint} and back, and AWS recommends up to 200", "Heartbeats", "Direct Connect", With("endpoint", $"https://slow.{Endpoint}"));
            Assert.InRange(int.Parse(finding.Found.Split(' ')[0], CultureInfo.InvariantCulture), 300, 900);
        }
        finally
        {
            await network.StopAsync(cable);
        }
    }

    [Fact]
    public async Task A_slow_line() =>
        await AssertAsync("bandwidth", "bandwidth", "warn", "Mbit/s from the appliance (4 MB in", "nodeadm gives up after 20 minutes", "ethtool", With("nodeadm", "slow"));

    [Fact]
    public async Task A_low_MTU_that_a_router_tells_of()
    {
        network.SkipIfMissing();
        await using var _ = await LowMtuAsync();
        await AssertAsync("mtu", "mtu", "warn", "packets of 1500 bytes do not reach 10.88.0.5: the way carries 1300, and a router says so", "pods",
            "Set the MTU of eth0 to 1300, or the MTU of cilium to at most 1250", With("endpoint", "https://10.88.0.5"));
    }

    [Fact]
    public async Task A_low_MTU_that_nobody_tells_of()
    {
        network.SkipIfMissing();
        await using var _ = await LowMtuAsync();
        await using var rules = await RulesAsync("router", "{ type filter hook output priority 0; }", "icmp type destination-unreachable drop");
        await AssertAsync("mtu", "mtu", "fail", "vanish on the way to 10.88.0.6, and nobody says so (eth0 sends up to 1500)", "TLS handshakes and image pulls hang",
            "let ICMP 'fragmentation needed' (type 3, code 4) pass", With("endpoint", "https://10.88.0.6"));
    }

    [Fact]
    public async Task An_MTU_between_the_usual_ones()
    {
        network.SkipIfMissing();
        network.Put("sys/class/net/eth0/mtu", "4000\n");
        try
        {
            await AssertAsync("mtu", "mtu", "warn", "the MTU of eth0 is 4000", "1500", "Set the interface to 1500");
        }
        finally
        {
            network.Put("sys/class/net/eth0/mtu", "1500\n");
        }
    }

    [Theory]
    [InlineData("public.", "private", "resolves to public addresses ( 203.0.113.7 ), though the cluster's endpoint is private", "Turn the cluster's public endpoint off")]
    [InlineData("", "public", "resolves to private addresses ( 10.88.0.3 ), though the cluster's endpoint is public", "a forward to a VPC")]
    [InlineData("both.", "private", "to private ( 10.88.0.3 ) and to public addresses ( 203.0.113.7 ) at once", "Two DNS servers of this host disagree")]
    [InlineData("none.", "private", "DNS: none.", "Route 53 Resolver inbound endpoint")]
    public async Task DNS_that_answers_otherwise_than_the_cluster_is(string name, string access, string found, string todo)
    {
        var answer = With("endpoint", $"https://{name}{Endpoint}");
        answer["access"] = access;
        await AssertAsync("dns-endpoint", "dns-endpoint", "fail", found, "", todo, answer);
    }

    [Fact]
    public async Task A_DNS_server_that_does_not_answer()
    {
        await using var _ = await RulesAsync("router", Forward, "udp dport 53 drop");
        await AssertAsync("dns-endpoint", "dns-endpoint", "fail", $"DNS: {Endpoint} does not resolve by 10.88.0.2", "never finds the cluster", "udp and tcp 53");
    }

    [Fact]
    public async Task An_appliance_that_is_away_does_not_stop_the_join()
    {
        await using var _ = await RulesAsync("router", Forward, "ip daddr 10.88.0.2 tcp dport { 8080, 8443 } reject with tcp reset");
        var findings = await network.FindAsync("clock bandwidth");
        Assert.Equal([("clock", "pass"), ("bandwidth", "skip")], findings.Select(finding => (finding.Code, finding.State)));
    }

    // --- The host ---

    // To the second, give or take those in which it is asked.
    [Theory]
    [InlineData("-10m", @"^this clock is (59\d|60\d) s behind the appliance's, (59\d|60\d) s behind that of sts\.")]
    [InlineData("+1h", @"^this clock is (359\d|360\d) s ahead of the appliance's, (359\d|360\d) s ahead of that of sts\.")]
    public async Task A_wrong_clock(string off, string found)
    {
        network.SkipIfMissing();
        var library = Directory.GetFiles("/usr/lib", "libfaketime.so.1", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 2, IgnoreInaccessible = true }).FirstOrDefault();
        Assert.SkipWhen(library is null, "libfaketime is not installed");
        var finding = (await network.FindAsync("clock", before: $"export LD_PRELOAD={library} FAKETIME={off} FAKETIME_DONT_FAKE_MONOTONIC=1;")).Single();
        Assert.Equal(("clock", "fail"), (finding.Code, finding.State));
        Assert.Matches(found, finding.Found);
        Assert.Contains("AWS refuses signatures", finding.Breaks, StringComparison.Ordinal);
        Assert.Contains("udp 123", finding.ToDo, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_clock_that_nothing_keeps_right()
    {
        network.SkipIfMissing();
        network.AddProgram("timedatectl", "#!/bin/sh\necho no\n");
        try
        {
            await AssertAsync("clock", "clock", "warn", "no time server keeps this clock right", "drift", "udp 123");
        }
        finally
        {
            network.AddUsualPrograms();
        }
    }

    [Theory]
    [InlineData("nodeip", "10.77.0.9", "10.77.0.9 is on no interface of this host, which has 10.77.0.2", "Correct the host's address")]
    [InlineData("nodenetworks", "10.60.0.0/16 10.77.1.0/24", "10.77.0.2 is in none of the cluster's remote node networks (10.60.0.0/16 10.77.1.0/24)", "remoteNetworkConfig")]
    public async Task A_node_address_that_is_not_one(string key, string value, string found, string todo) =>
        await AssertAsync("node-ip", "node-ip", "fail", found, "", todo, With(key, value));

    [Theory]
    [InlineData("/dev/sda2                               partition\t8388604\t\t0\t\t-2\n", "fail", "swap is on: /dev/sda2", "nodeadm init ends with an error", "swapoff -a")]
    [InlineData("/swap.img                               file\t\t4194300\t\t0\t\t-2\n", "warn", "swap is on: /swap.img", "nodeadm init turns swap files off", "/etc/fstab")]
    public async Task Swap(string line, string state, string found, string breaks, string todo) =>
        await WithFileAsync("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n" + line, () => AssertAsync("swap", "swap", state, found, breaks, todo));

    [Theory]
    [InlineData("1.35", "fail", "cgroup v1, and Kubernetes 1.35 wants v2", "The kubelet refuses to start from 1.35 on.")]
    [InlineData("1.34.2", "warn", "cgroup v1", "The kubelet will refuse to start after an upgrade to 1.35.")]
    public async Task Cgroup_v1(string kubernetes, string state, string found, string breaks)
    {
        network.SkipIfMissing();
        File.Move(network["sys/fs/cgroup/cgroup.controllers"], network["controllers"]);
        try
        {
            await AssertAsync("cgroup-v2", "cgroup-v2", state, found, breaks, "systemd.unified_cgroup_hierarchy=1", With("kubernetes", kubernetes));
        }
        finally
        {
            File.Move(network["controllers"], network["sys/fs/cgroup/cgroup.controllers"]);
        }
    }

    [Theory]
    [InlineData("cilium", "fail")]
    [InlineData("calico", "pass")]
    public async Task A_kernel_that_is_too_old_for_Cilium(string cni, string state) =>
        await WithFileAsync("proc/sys/kernel/osrelease", "4.18.0-553.el8_10.x86_64\n", () =>
            AssertAsync("kernel", "kernel", state, "Linux 4.18.0-553.el8_10.x86_64", state == "fail" ? "Cilium's agent does not start" : "", state == "fail" ? "Calico" : "", With("cni", cni)));

    [Fact]
    public async Task A_processor_that_is_too_old() =>
        await WithFileAsync("proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU architecture: 8\n", () =>
            AssertAsync("cpu", "cpu", "fail", "the processor lacks aes sha2 atomics", "kube-proxy", "Cortex-A76"));

    [Theory]
    [InlineData("1g", "fail", "1 GiB free in /var")]
    [InlineData("15g", "warn", "15 GiB free in /var")]
    public async Task A_small_disk(string size, string state, string found)
    {
        network.SkipIfMissing();
        var finding = (await network.FindAsync("disk", before: $"mount -t tmpfs -o size=200g tmpfs '{network["root"]}' && mkdir '{network["root/var"]}' && mount -t tmpfs -o size={size} tmpfs '{network["root/var"]}';")).Single();
        Assert.Equal((state, true), (finding.State, finding.Found.EndsWith(found, StringComparison.Ordinal)));
        Assert.Contains("/var/lib/containerd", finding.ToDo, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("03000200-0400-0500-0006-000700080009\n", "is a board maker's default")]
    [InlineData("00000000-0000-0000-0000-000000000000\n", "is a blank")]
    [InlineData("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF\n", "is a blank")]
    [InlineData("", "cannot be read")]
    public async Task A_product_UUID_that_is_not_one(string uuid, string found) =>
        await WithFileAsync("sys/class/dmi/id/product_uuid", uuid, () => AssertAsync("uuid", "uuid", "warn", found, "tell machines apart", ""));

    [Theory]
    [InlineData("worker-2", "fail", "worker-2 resolves to 10.88.0.4, which is not this host, and answers: another machine lives there", "Two machines with one name")]
    [InlineData("worker-3", "warn", "worker-3 resolves to 10.88.0.99, which is not this host, and does not answer", "Two machines with one name")]
    [InlineData("worker-4", "warn", "this host calls itself worker-1, and its certificate worker-4", "differ")]
    public async Task A_host_name_that_is_somebody_elses(string name, string state, string found, string breaks)
    {
        network.SkipIfMissing();
        network.WriteHost(name);
        try
        {
            await AssertAsync("hostname", "hostname", state, found, breaks, "");
        }
        finally
        {
            network.WriteHost("worker-1");
        }
    }

    // As the two print it; they cannot run in a namespace beside those of this machine.
    [Theory]
    [InlineData("ufw", "10250/tcp                  ALLOW IN    Anywhere", "fail", "ufw is active and not open for 8472/udp", "ufw allow 8472/udp")]
    [InlineData("ufw", "8000:9000/udp              ALLOW IN    Anywhere", "warn", "ufw is active and not open for 10250/tcp", "ufw allow 10250/tcp")]
    [InlineData("ufw", "8472,10250                 ALLOW IN    Anywhere", "pass", "ufw is active, and open for 8472/udp and 10250/tcp", "")]
    [InlineData("firewall-cmd", "22/tcp 10250/tcp", "fail", "firewalld is active and not open for 8472/udp", "firewall-cmd --permanent --add-port=8472/udp")]
    [InlineData("firewall-cmd", "8470-8480/udp 10250/tcp", "pass", "firewalld is active, and open for 8472/udp and 10250/tcp", "")]
    public async Task A_firewall_of_the_host_itself(string program, string open, string state, string found, string todo)
    {
        network.SkipIfMissing();
        network.AddProgram(program, program == "ufw"
            ? $"#!/bin/sh\nprintf '%s\\n' 'Status: active' 'Logging: on (low)' 'Default: deny (incoming), allow (outgoing), deny (routed)' '' 'To                         Action      From' '--                         ------      ----' '{open}'\n"
            : $"#!/bin/sh\ncase $* in --state) echo running ;; *interface*) echo public ;; *get-target*) echo default ;; *list-ports*) echo '{open}' ;; esac\n");
        try
        {
            await AssertAsync("firewall", "firewall", state, found, "", todo);
        }
        finally
        {
            network.AddUsualPrograms();
        }
    }

    [Fact]
    public async Task Through_a_proxy_what_it_does_not_let_through_is_named()
    {
        network.SkipIfMissing();
        // Answers CONNECT as a proxy does that forbids it: with an error.
        await AssertAsync("tcp", StsCode, "fail", "proxy", "No credentials", "runs the proxy", environment: ("https_proxy", "http://10.88.0.2:8080"));
    }

    private static Dictionary<string, string> With(string key, string value)
    {
        var answer = PreflightNetwork.Answer();
        answer[key] = value;
        return answer;
    }

    private Task<IAsyncDisposable> RulesAsync(string where, string hook, params string[] rules)
    {
        network.SkipIfMissing();
        return network.RulesAsync(where, hook, rules);
    }

    private async Task<IAsyncDisposable> LowMtuAsync()
    {
        await network.OnAsync("router", "ip", "link", "set", "uplink", "mtu", "1300");
        return new Restored(() => network.OnAsync("router", "ip", "link", "set", "uplink", "mtu", "1500"));
    }

    private async Task WithFileAsync(string file, string text, Func<Task> test)
    {
        network.SkipIfMissing();
        var right = await File.ReadAllTextAsync(network[file]);
        network.Put(file, text);
        try
        {
            await test();
        }
        finally
        {
            network.Put(file, right);
        }
    }

    // The finding is there, and is the only one that is not right.
    private async Task<PreflightLine> AssertAsync(string check, string code, string state, string found, string breaks, string todo, IReadOnlyDictionary<string, string>? answer = null, params (string, string)[] environment)
    {
        network.SkipIfMissing();
        var findings = await network.FindAsync(check, answer, environment: environment);
        var finding = findings.Single(f => f.Code == code);
        Assert.True(finding.State == state && finding.Found.Contains(found, StringComparison.Ordinal) && finding.Breaks.Contains(breaks, StringComparison.Ordinal) && finding.ToDo.Contains(todo, StringComparison.Ordinal), finding.ToString());
        if (environment.Length == 0)
            Assert.True(findings.TrueForAll(f => f.Code == code || f.State == "pass"), string.Join('\n', findings));
        return finding;
    }

    private sealed class Restored(Func<Task> restore) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await restore();
    }
}
