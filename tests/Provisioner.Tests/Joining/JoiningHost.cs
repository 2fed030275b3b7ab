using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Provisioner.Tests.Join;

namespace Provisioner.Tests.Joining;

/// <summary>
/// An enrolled host and the appliance it joins by. nodeadm is a script from the appliance's artifacts that leaves what nodeadm leaves and
/// notes its arguments; so is all that would change this machine: package managers, systemctl.
/// </summary>
internal sealed class JoiningHost : JoinHost
{
    private JoiningHost(string distribution, Authority authority, JoiningAppliance appliance)
        : base(distribution, appliance.Address, authority.Certificate, "inst-7", "spent") => Appliance = appliance;

    public JoiningAppliance Appliance { get; }

    public string Nodeadm => File("usr/local/bin/nodeadm");

    public string NodeConfig => File("etc/eks/nodeconfig.yaml");

    public string Kubelet => File("usr/bin/kubelet");

    public string Joined => File("var/lib/provisioner/joined");

    public string Log => File("var/log/provisioner-join.log");

    /// <summary>What was run, a line each, without what systemctl was asked for.</summary>
    public string[] Calls => [.. AllCalls.Where(call => !call.StartsWith("systemctl ", StringComparison.Ordinal))];

    public string[] AllCalls => System.IO.File.Exists(Beside("calls")) ? System.IO.File.ReadAllLines(Beside("calls")) : [];

    public string Install => $"nodeadm install 1.34 -p iam-ra -s none -r eu-west-1 -m file://{File("opt/eks/manifest.yaml")}";

    public string Check => $"nodeadm config check -c file://{NodeConfig}";

    public string Init => $"nodeadm init -c file://{NodeConfig} -m file://{File("opt/eks/manifest.yaml")}";

    public string[] Outbox => Directory.Exists(File("var/lib/provisioner/join/outbox")) ? Directory.GetFiles(File("var/lib/provisioner/join/outbox")) : [];

    public static async Task<JoiningHost> EnrolledAsync(string distribution = "dash")
    {
        var authority = Authority.Root("Provisioner 1");
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = authority.IssueHost(new PublicKey(key));
        var host = new JoiningHost(distribution, authority, await JoiningAppliance.StartAsync(authority, certificate));
        Directory.CreateDirectory(host.File("etc/iam/pki"));
        System.IO.File.WriteAllText(host.Key, key.ExportECPrivateKeyPem());
        System.IO.File.WriteAllText(host.Certificate, certificate.ExportCertificatePem());
        System.IO.File.Delete(host.Token);

        var calls = host.Beside("calls");
        foreach (var program in (string[])["containerd", "runc", "iptables", "conntrack"])
            host.AddProgram(program, "#!/bin/sh\n");
        host.AddManager("apt-get");
        host.AddManager("dpkg");
        host.AddManager("dnf");
        host.AddProgram("systemctl", $"#!/bin/sh\necho \"systemctl $*\" >>'{calls}'\ncase $* in *is-active*kubelet) [ -e '{host.Beside("kubelet-runs")}' ] ;; esac\n");
        host.Finds("swap\tpass\tno swap\t\t");
        host.Offer($$"""
            #!/bin/sh
            echo "nodeadm $*" >>'{{calls}}'
            echo "proxy $https_proxy, not for $no_proxy" >'{{host.Beside("environment")}}'
            [ ! -e '{{host.Beside("says")}}' ] || while IFS= read -r line; do echo "$line"; done <'{{host.Beside("says")}}'
            if [ -e '{{host.Beside("hang-")}}'$1 ]; then : >'{{host.Beside("hangs")}}'; exec /bin/sleep 600; fi
            if [ -e '{{host.Beside("fail-")}}'$1 ]; then
              read -r times <'{{host.Beside("fail-")}}'$1
              if [ "$times" -gt 1 ]; then echo $((times - 1)) >'{{host.Beside("fail-")}}'$1; else /bin/rm '{{host.Beside("fail-")}}'$1; fi
              echo '{"level":"error","ts":"2026-11-27T06:00:00Z","msg":"Command failed","error":"'$1' has its reasons"}'
              exit 1
            fi
            case $1 in
              install) /bin/mkdir -p '{{host.File("usr/bin")}}' '{{host.File("opt/nodeadm")}}'; echo "kubelet $2" >'{{host.Kubelet}}'; /bin/chmod 755 '{{host.Kubelet}}'; echo tracked >'{{host.File("opt/nodeadm/tracker")}}' ;;
              init) : >'{{host.Beside("kubelet-runs")}}' ;;
              upgrade) echo "kubelet $2" >'{{host.Kubelet}}' ;;
            esac

            """);
        host.Appliance.Artifacts["manifest.yaml"] = "supported_eks_releases:\n- major_minor_version: \"1.34\"\n";
        return host;
    }

    /// <summary>Puts a nodeadm, and the checksum of what it is or is said to be, into the appliance's artifacts.</summary>
    public void Offer(string nodeadm, string? checkedAs = null)
    {
        nodeadm = nodeadm.ReplaceLineEndings("\n");
        Appliance.Artifacts["nodeadm/amd64/nodeadm"] = nodeadm;
        Appliance.Artifacts["nodeadm/amd64/nodeadm.sha256"] = $"{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(checkedAs ?? nodeadm)))}  nodeadm\n";
    }

    /// <summary>What the preflight finds, each time it runs.</summary>
    public void Finds(params string[] findings)
    {
        System.IO.File.WriteAllLines(Beside("findings"), findings);
        var failed = findings.Any(finding => finding.Split('\t')[1] == "fail") ? 1 : 0;
        AddProgram("provisioner-preflight", $"#!/bin/sh\necho preflight >>'{Beside("calls")}'\nwhile IFS= read -r line; do printf '%s\\n' \"$line\"; done <'{Beside("findings")}'\nexit {failed}\n");
    }

    /// <summary>A package manager that notes what it was asked for, and brings it.</summary>
    private void AddManager(string name) => AddProgram(name, $$"""
        #!/bin/sh
        echo "{{name}} $*" >>'{{Beside("calls")}}'
        if [ -e '{{Beside("hang-")}}{{name}}' ]; then : >'{{Beside("hangs")}}'; exec /bin/sleep 600; fi
        if [ -e '{{Beside("fail-")}}{{name}}' ]; then /bin/rm '{{Beside("fail-")}}{{name}}'; echo 'Unable to locate package containerd'; exit 100; fi
        for word in "$@"; do
          case $word in
            containerd | runc | iptables | conntrack | conntrack-tools | containerd.io)
              for program in containerd runc iptables conntrack; do echo '#!/bin/sh' >'{{Beside("bin")}}/'$program; /bin/chmod 755 '{{Beside("bin")}}/'$program; done ;;
          esac
        done

        """.ReplaceLineEndings("\n"));

    public void Remove(params string[] programs)
    {
        foreach (var program in programs)
            System.IO.File.Delete(Path.Combine(Beside("bin"), program));
    }

    public void Fails(string command, int times = 1) => System.IO.File.WriteAllText(Beside("fail-" + command), times + "\n");

    public void Hangs(string command) => System.IO.File.WriteAllText(Beside("hang-" + command), "");

    public Process StartJoin(params string[] arguments) => StartProgram("provisioner-join", arguments);

    public Task<Run> JoinAsync(params string[] arguments) => EndAsync(StartJoin(arguments));

    /// <summary>Runs it until a command hangs, and then cuts all of it off as a power cut does.</summary>
    public async Task CutOffAsync(string command)
    {
        Hangs(command);
        using var process = StartJoin("run");
        await UntilAsync(() => System.IO.File.Exists(Beside("hangs")), process);
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
        System.IO.File.Delete(Beside("hangs"));
        System.IO.File.Delete(Beside("hang-" + command));
    }

    public static async Task UntilAsync(Func<bool> reached, Process process)
    {
        using var end = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!reached())
        {
            Assert.False(process.HasExited, process.HasExited ? await process.StandardError.ReadToEndAsync(end.Token) : "");
            await Task.Delay(20, end.Token);
        }
    }

    public void AssertJoined(Run run)
    {
        Assert.True(run.Exit == 0, run.Said);
        Assert.Contains("version=1.34\n", System.IO.File.ReadAllText(Joined), StringComparison.Ordinal);
        Assert.Equal(new Stage("joined", "done", "nodeadm is done: the node registers with prod"), Appliance.Stages.Last());
        Assert.Empty(Outbox);
    }

    public override async ValueTask DisposeAsync()
    {
        await Appliance.DisposeAsync();
        await base.DisposeAsync();
    }
}
