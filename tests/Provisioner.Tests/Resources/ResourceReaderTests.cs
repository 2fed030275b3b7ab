using CsCheck;
using Provisioner.Boot;
using Host = Provisioner.Hosts.Host;
using Provisioner.Images;
using Provisioner.Networks;
using Provisioner.Profiles;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Tests.Resources;

public sealed class ResourceReaderTests
{
    private const string Host = """
        apiVersion: provisioner/v1
        kind: Host
        metadata:
          name: worker-1
          labels: {rack: r12, example.com/role: gpu}
        spec:
          macAddresses: [52:54:00:12:34:56, 52-54-00-AA-BB-CC, 5254.00dd.eeff, 525400112233]
          bootMacAddress: 5254.00AA.BBCC
          architecture: x86_64
          profile: worker
          address: 10.77.0.21
          zone: fra-1
          location: {site: fra, rack: "12", unit: 7}
          serial: 00123
          boot: {file: snponly.efi, local: http-404, kernelArguments: ["console=ttyS0,115200", quiet]}
          bmc: {address: bmc-1.example.com, protocol: redfish}
        """;

    private const string Network = """
        apiVersion: provisioner/v1
        kind: Network
        metadata: {name: rack-12}
        spec:
          subnet: 10.77.0.0/24
          interface: eth1
          dhcp: reserve
          advertise: 10.77.0.1
          range: 10.77.0.100-10.77.0.199
          gateway: 10.77.0.254
          dns: [10.77.0.2, 10.77.0.3]
          ntp: [10.77.0.2]
          domain: lab.example.com
          allowUnknown: true
          leaseTime: 1h30m
          probeConflicts: false
          tftpBlockSize: 1024
        """;

    [Fact]
    public void Reads_every_key_of_a_host()
    {
        var host = Assert.IsType<Host>(Good(Host));
        Assert.Equal("worker-1", host.Name);
        Assert.Equal("gpu", host.Metadata.Labels["example.com/role"]);
        Assert.Equal(["52:54:00:12:34:56", "52:54:00:aa:bb:cc", "52:54:00:dd:ee:ff", "52:54:00:11:22:33"], host.Spec.MacAddresses.Select(m => m.ToString()));
        Assert.Equal("52:54:00:aa:bb:cc", host.Spec.BootMacAddress.ToString());
        Assert.Equal(CpuArchitecture.X64, host.Spec.Architecture);
        Assert.Equal(Ipv4Address.Parse("10.77.0.21"), host.Spec.Address);
        Assert.Equal(("fra", "12", 7), (host.Spec.Location!.Site, host.Spec.Location.Rack, host.Spec.Location.Unit));
        Assert.Equal("00123", host.Spec.Serial);
        Assert.Equal(LocalBoot.Http404, host.Spec.Boot!.Local);
        Assert.Equal(["console=ttyS0,115200", "quiet"], host.Spec.Boot.KernelArguments);
        Assert.Equal("redfish", host.Spec.Bmc!.Protocol);
    }

    [Fact]
    public void Reads_every_key_of_a_network()
    {
        var network = Assert.IsType<Network>(Good(Network)).Spec;
        Assert.Equal(DhcpMode.Reserve, network.Dhcp);
        Assert.Equal("10.77.0.100-10.77.0.199", network.Range.ToString());
        Assert.Equal(TimeSpan.FromMinutes(90), network.LeaseTime);
        Assert.Equal(2, network.Dns.Length);
        Assert.True(network.AllowUnknown);
        Assert.False(network.ProbeConflicts);
        Assert.Equal(1024, network.TftpBlockSize);
    }

    [Fact]
    public void Leaves_defaults_where_a_key_is_missing_or_null()
    {
        var network = Assert.IsType<Network>(Good("apiVersion: provisioner/v1\nkind: Network\nmetadata: {name: n}\nspec: {subnet: 10.0.0.0/24, gateway: , domain: null}")).Spec;
        Assert.Equal(new NetworkSpec { Subnet = Ipv4Cidr.Parse("10.0.0.0/24"), Dns = network.Dns, Ntp = network.Ntp }, network);
        Assert.Empty(network.Dns);
    }

    [Fact]
    public void Reads_an_initrd_given_as_one_word_or_as_a_list()
    {
        Assert.Equal(["initrd.gz"], ((Image)Good(ImageWith("initrd: initrd.gz"))).Spec.Initrd);
        Assert.Equal(["a/b.img", "c.img"], ((Image)Good(ImageWith("initrd: [a/b.img, c.img]"))).Spec.Initrd);
    }

    [Fact]
    public void Reads_many_documents_and_JSON()
    {
        var read = ResourceReader.Read(Host + "\n---\n# nothing here\n---\n" + Network + "\n...\n---\n"
            + """{"apiVersion":"provisioner/v1","kind":"Profile","metadata":{"name":"worker"},"spec":{"image":"debian-12","bootChain":"shim"}}""");
        Assert.Empty(read.Mistakes);
        Assert.Equal(["Host", "Network", "Profile"], read.Documents.Select(d => d.Resource.Kind));
        Assert.Equal([1, 3, 4], read.Documents.Select(d => d.Index));
        Assert.Equal(BootChain.Shim, ((Profile)read.Documents[2].Resource).Spec.BootChain);
    }

    [Fact]
    public void Ignores_what_only_the_appliance_writes()
    {
        var image = (Image)Good(ImageWith("initrd: i") + "\nstatus: {files: [{path: x}], anything: [1, {a: b}]}");
        Assert.Empty(image.Status.Files);
        var host = (Host)Good(Host.Replace("  name: worker-1", "  name: worker-1\n  resourceVersion: 7\n  createdAt: 2026-11-22T10:00:00Z\n  updatedAt: 2026-11-22T10:00:00Z", StringComparison.Ordinal));
        Assert.Equal(7, host.Metadata.ResourceVersion);
        Assert.Equal(default, host.Metadata.CreatedAt);
    }

    [Fact]
    public void Reports_every_mistake_of_every_document_at_once()
    {
        var read = ResourceReader.Read("""
            apiVersion: provisioner/v2
            kind: Host
            metadata:
              name: Worker_1
              lables: {a: b}
            spec:
              macAddress: [52:54:00:12:34:56]
              architecture: sparc
              address: 10.77.0.256
              address: 10.77.0.1
            ---
            apiVersion: provisioner/v1
            kind: Hots
            metadata: {name: x}
            ---
            kind: Network
            metadata: {name: net}
            spec:
              subnet: 10.77.0.1/24
              dhcp: reserved
              allowUnknown: yes
            """);
        Assert.Empty(read.Documents);
        Assert.Equal("""
            1 1:13 apiVersion: 'provisioner/v2' is not an apiVersion; did you mean 'provisioner/v1'?
            1 4:9 metadata.name: 'Worker_1' is not an RFC 1123 name
            1 5:3 metadata.lables: there is no key 'lables' in metadata; did you mean 'labels'?
            1 7:3 spec.macAddress: there is no key 'macAddress' in a Host's spec; did you mean 'macAddresses'?
            1 8:17 spec.architecture: 'sparc' is not an architecture
            1 9:12 spec.address: '10.77.0.256' is not an IPv4 address
            1 10:3 spec.address: the key 'address' is there twice, first in line 9
            1 7:3 spec.macAddresses: the key 'macAddresses' is missing
            2 13:7 kind: 'Hots' is not a kind of resource; did you mean 'Host'?
            3 19:11 spec.subnet: '10.77.0.1/24' is an address inside a subnet; did you mean '10.77.0.0/24'?
            3 20:9 spec.dhcp: 'reserved' is not a DHCP mode; did you mean 'reserve'?
            3 21:17 spec.allowUnknown: 'yes' is not a boolean
            3 16:1 apiVersion: the key 'apiVersion' is missing
            """, Show(read), ignoreLineEndingDifferences: true);
        Assert.All(read.Mistakes, m => Assert.NotNull(m.Expected));
    }

    [Fact]
    public void Goes_on_after_a_document_that_is_not_YAML()
    {
        var read = ResourceReader.Read("kind: [Host\nmetadata: }\n---\n" + Network + "\n---\nkind: Host\nspec: \"open\n---\nkind: Nothing\n");
        Assert.Single(read.Documents);
        Assert.Equal([1, 3, 4], read.Mistakes.Select(m => m.Document));
        Assert.Contains("not well-formed YAML", read.Mistakes[0].Message, StringComparison.Ordinal);
        Assert.Equal(25, read.Mistakes[^1].Line);
        Assert.Equal("'Nothing' is not a kind of resource", read.Mistakes[^1].Message);
    }

    [Theory]
    [InlineData("macAddresses: 52:54:00:12:34:56", "spec.macAddresses", "is not a list")]
    [InlineData("macAddresses: []", "spec.macAddresses", "has 0 items")]
    [InlineData("macAddresses: [52:54:00:12:34]", "spec.macAddresses[0]", "'52:54:00:12:34' is not a network card's MAC address")]
    [InlineData("macAddresses: [01:00:5e:00:00:01]", "spec.macAddresses[0]", "'01:00:5e:00:00:01' is a group address, which no network card sends from")]
    [InlineData("macAddresses: [ff:ff:ff:ff:ff:ff]", "spec.macAddresses[0]", "'ff:ff:ff:ff:ff:ff' is a group address, which no network card sends from")]
    [InlineData("macAddresses: [00:00:00:00:00:00]", "spec.macAddresses[0]", "'00:00:00:00:00:00' is no address")]
    [InlineData("macAddresses: [525400123456, 52:54:00:12:34:56]", "spec.macAddresses[1]", "52:54:00:12:34:56 is there twice")]
    [InlineData("bootMacAddress: 52:54:00:00:00:01", "spec.bootMacAddress", "52:54:00:00:00:01 is not among the host's macAddresses")]
    [InlineData("architecture: i686", "spec.architecture", "'i686' is 32-bit x86, which nothing is installed on")]
    [InlineData("architecture:", "spec.architecture", "has no value")]
    [InlineData("architecture: [x86_64]", "spec.architecture", "a list is not an architecture")]
    [InlineData("address: 255.255.255.255", "spec.address", "'255.255.255.255' is not one host's address")]
    [InlineData("zone: no", "spec.zone", "no without quotes is a boolean to YAML")]
    [InlineData("zone: a zone", "spec.zone", "'a zone' is not a label value")]
    [InlineData("serial: |\n    a\n    b", "spec.serial", "'a\\u000ab\\u000a' holds a line break")]
    [InlineData("serial: \"a\\x1b[31m\"", "spec.serial", "'a\\u001b[31m' holds the control character U+001B")]
    [InlineData("serial: \"\\u202Eabc\"", "spec.serial", "'\\u202eabc' holds the control character U+202E")]
    [InlineData("serial: \"\"", "spec.serial", "'' is empty")]
    [InlineData("serial: {a: b}", "spec.serial", "a mapping is not a text")]
    [InlineData("location: here", "spec.location", "is not a mapping")]
    [InlineData("location: {unit: twelve}", "spec.location.unit", "'twelve' is not a whole number in bounds")]
    [InlineData("location: {unit: 0}", "spec.location.unit", "'0' is not a whole number in bounds")]
    [InlineData("location: {row: 1}", "spec.location.row", "there is no key 'row' in location")]
    [InlineData("boot: {file: ../etc/passwd}", "spec.boot.file", "'../etc/passwd' has the part '..'")]
    [InlineData("boot: {file: /pxe.efi}", "spec.boot.file", "'/pxe.efi' begins with '/'")]
    [InlineData("boot: {file: 'a;b'}", "spec.boot.file", "'a;b' holds ';'")]
    [InlineData("boot: {local: http404}", "spec.boot.local", "'http404' is not a way to the local disk; did you mean 'http-404'?")]
    [InlineData("boot: {kernelArguments: quiet}", "spec.boot.kernelArguments", "is not a list")]
    [InlineData("boot: {kernelArguments: [quiet splash]}", "spec.boot.kernelArguments[0]", "'quiet splash' holds a blank")]
    [InlineData("boot: {kernelArguments: ['a=$b']}", "spec.boot.kernelArguments[0]", "'a=$b' holds '$', which means something to iPXE's or GRUB's script")]
    [InlineData("boot: {kernelArguments: ['a\"b']}", "spec.boot.kernelArguments[0]", "'a\"b' holds '\"', which means something to iPXE's or GRUB's script")]
    [InlineData("boot: {kernelArguments: ['a||b']}", "spec.boot.kernelArguments[0]", "'a||b' holds '|', which means something to iPXE's or GRUB's script")]
    [InlineData("boot: {kernelArguments: ['#x']}", "spec.boot.kernelArguments[0]", "'#x' begins with '#', a comment to iPXE and GRUB")]
    [InlineData("boot: {kernelArguments: [ü]}", "spec.boot.kernelArguments[0]", "'ü' holds 'ü', which means something to iPXE's or GRUB's script")]
    [InlineData("bmc: {address: 10.0.0.1}", "spec.bmc.protocol", "the key 'protocol' is missing")]
    [InlineData("bmc: {address: 10.1, protocol: ipmi}", "spec.bmc.address", "'10.1' is a short form of an address")]
    [InlineData("bmc: {address: 'a b', protocol: telnet}", "spec.bmc.address", "'a b' is not a DNS name")]
    [InlineData("profile: \"a\\nb\"", "spec.profile", "'a\\u000ab' holds a line break")]
    [InlineData("profle: worker", "spec.profle", "there is no key 'profle' in a Host's spec; did you mean 'profile'?")]
    [InlineData("mac: x", "spec.mac", "there is no key 'mac' in a Host's spec; did you mean 'macAddresses'?")]
    [InlineData("mac_addresses: x", "spec.mac_addresses", "there is no key 'mac_addresses' in a Host's spec; did you mean 'macAddresses'?")]
    [InlineData("location: &here {site: a}", "", "anchors are not understood here")]
    [InlineData("location: *here", "", "aliases are not understood here")]
    [InlineData("serial: !!binary aGk=", "", "tags are not understood here")]
    [InlineData("? [a, b]\n  : c", "", "a list or a mapping cannot be a key")]
    public void Refuses_in_a_host(string line, string path, string message)
    {
        var key = line.Split(':')[0];
        var lines = new[] { "macAddresses: [52:54:00:12:34:56]", "architecture: x86_64" }.Where(l => l.Split(':')[0] != key).Append(line);
        AssertMistake("Host", lines, path, message);
    }

    [Theory]
    [InlineData("subnet: 10.0.0.0", "spec.subnet", "'10.0.0.0' is not an IPv4 subnet")]
    [InlineData("subnet: 10.0.0.0/31", "spec.subnet", "'10.0.0.0/31' has a prefix of 31 bits")]
    [InlineData("subnet: 224.0.0.0/8", "spec.subnet", "'224.0.0.0/8' is not a subnet of hosts")]
    [InlineData("range: 10.77.0.10", "spec.range", "'10.77.0.10' is not a range of IPv4 addresses")]
    [InlineData("range: 10.77.0.20-10.77.0.10", "spec.range", "'10.77.0.20-10.77.0.10' begins after its end")]
    [InlineData("range: 10.77.0.200-10.77.1.10", "spec.range", "10.77.1.10 is not a host's address in 10.77.0.0/24")]
    [InlineData("range: 10.77.0.0-10.77.0.10", "spec.range", "10.77.0.0 is not a host's address in 10.77.0.0/24")]
    [InlineData("range: 10.77.0.1-10.77.0.10\n  gateway: 10.77.0.1", "spec.range", "the gateway 10.77.0.1 lies in the range and would be leased")]
    [InlineData("range: 10.77.0.1-10.77.0.10\n  advertise: 10.77.0.2", "spec.range", "the appliance's own address 10.77.0.2 lies in the range and would be leased")]
    [InlineData("gateway: 10.78.0.1", "spec.gateway", "10.78.0.1 is not a host's address in 10.77.0.0/24")]
    [InlineData("gateway: 10.77.0.255", "spec.gateway", "10.77.0.255 is not a host's address in 10.77.0.0/24")]
    [InlineData("dns: 10.77.0.2", "spec.dns", "is not a list")]
    [InlineData("ntp: [time.example.com]", "spec.ntp[0]", "'time.example.com' is not an IPv4 address")]
    [InlineData("interface: a/b", "spec.interface", "'a/b' is not a network interface's name")]
    [InlineData("interface: averyverylongname", "spec.interface", "'averyverylongname' is not a network interface's name")]
    [InlineData("domain: exa_mple", "spec.domain", "'exa_mple' is not a DNS name")]
    [InlineData("leaseTime: 1 hour", "spec.leaseTime", "'1 hour' is not a duration")]
    [InlineData("leaseTime: 12:30", "spec.leaseTime", "'12:30' is not a duration")]
    [InlineData("leaseTime: 30m1h", "spec.leaseTime", "'30m1h' is not a duration")]
    [InlineData("leaseTime: 3600", "spec.leaseTime", "'3600' is not a duration")]
    [InlineData("leaseTime: 5s", "spec.leaseTime", "'5s' is too short")]
    [InlineData("leaseTime: 999999999d", "spec.leaseTime", "'999999999d' is too long")]
    [InlineData("tftpBlockSize: 8", "spec.tftpBlockSize", "'8' is not a whole number in bounds")]
    [InlineData("probeConflicts: 1", "spec.probeConflicts", "'1' is not a boolean")]
    [InlineData("dhcp: on", "spec.dhcp", "'on' is not a DHCP mode")]
    [InlineData("dhcp: reserve\n  allowUnknown: true", "spec.allowUnknown", "there is no range to lease unknown machines an address from")]
    public void Refuses_in_a_network(string line, string path, string message) =>
        AssertMistake("Network", line.StartsWith("subnet", StringComparison.Ordinal) ? [line] : ["subnet: 10.77.0.0/24", line], path, message);

    [Theory]
    [InlineData("kernel: /vmlinuz", "spec.kernel", "'/vmlinuz' begins with '/'")]
    [InlineData("kernel: a//b", "spec.kernel", "'a//b' has an empty part")]
    [InlineData("kernel: a b", "spec.kernel", "'a b' holds ' '")]
    [InlineData("kernel: ./b", "spec.kernel", "'./b' has the part '.'")]
    [InlineData("initrd: {a: b}", "spec.initrd", "is not a list")]
    [InlineData("initrd: ['a\\b']", "spec.initrd[0]", "'a\\b' holds '\\'")]
    [InlineData("bootLoaders: {shimm: x}", "spec.bootLoaders.shimm", "there is no key 'shimm' in bootLoaders; did you mean 'shim'?")]
    [InlineData("version: true", "spec.version", "true without quotes is a boolean to YAML")]
    public void Refuses_in_an_image(string line, string path, string message)
    {
        var key = line.Split(':')[0];
        AssertMistake("Image", new[] { "architecture: arm64", "kernel: k" }.Where(l => l.Split(':')[0] != key).Append(line), path, message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("# only a comment\n")]
    [InlineData("---\n---\n")]
    [InlineData("null")]
    public void Says_that_there_is_no_document(string text) =>
        Assert.Equal("there is no document in the text", Assert.Single(ResourceReader.Read(text).Mistakes).Message);

    [Theory]
    [InlineData("just words", "a document is a mapping")]
    [InlineData("- a\n- b", "a document is a mapping")]
    [InlineData("metadata: {name: x}", "the key 'kind' is missing")]
    [InlineData("Kind: Host", "the key 'kind' is missing; is 'Kind' meant?")]
    [InlineData("kind: host", "'host' is not a kind of resource; did you mean 'Host'?")]
    [InlineData("kind: hosts", "'hosts' is not a kind of resource; did you mean 'Host'?")]
    [InlineData("kind: [Host]", "is not a word")]
    [InlineData("a: *b", "aliases are not understood here", "the key 'kind' is missing")]
    public void Says_what_a_document_is(string text, params string[] messages) =>
        Assert.Equal(messages, ResourceReader.Read(text).Mistakes.Select(m => m.Message));

    [Fact]
    public void Takes_no_bomb()
    {
        var bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + string.Concat(Enumerable.Range(1, 20).Select(i => $"{(char)('a' + i)}: &{(char)('a' + i)} [{string.Join(',', Enumerable.Repeat($"*{(char)('a' + i - 1)}", 9))}]\n"));
        Assert.NotEmpty(ResourceReader.Read(bomb).Mistakes);
        var deep = ResourceReader.Read(new string('[', 200_000));
        Assert.Equal("nested too deeply", Assert.Single(deep.Mistakes).Message);
        var deepKeys = ResourceReader.Read(string.Concat(Enumerable.Range(0, 2_000).Select(i => new string(' ', i) + "a:\n")));
        Assert.Equal("nested too deeply", Assert.Single(deepKeys.Mistakes).Message);
        var long_ = ResourceReader.Read(new string('a', YamlText.MaximumLength + 1));
        Assert.Contains("characters", Assert.Single(long_.Mistakes).Message, StringComparison.Ordinal);
        var many = ResourceReader.Read("kind: Host\n" + string.Concat(Enumerable.Range(0, 100_000).Select(i => $"k{i}: 1\n")));
        Assert.Equal(Reading.MaximumMistakes + 1, many.Mistakes.Count);
    }

    [Fact]
    public void Reads_ten_thousand_hosts_quickly()
    {
        var text = string.Join("\n---\n", Enumerable.Range(0, 10_000).Select(i => Host.Replace("worker-1", $"worker-{i}", StringComparison.Ordinal)));
        var start = TimeProvider.System.GetTimestamp();
        var read = ResourceReader.Read(text);
        Assert.Empty(read.Mistakes);
        Assert.Equal(10_000, read.Documents.Count);
        Assert.True(TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(20));
    }

    [Fact]
    public void Never_throws_on_any_text()
    {
        // Pieces that a parser stumbles over, in any order, and pieces of real documents.
        var pieces = Gen.OneOf(
            Gen.OneOf("---\n", "...\n", "kind: Host\n", "apiVersion: provisioner/v1\n", "metadata:\n  name: a\n", "spec:\n", "  macAddresses: [", "]", "{", "}", ": ", "- ", "&a ", "*a ",
                "!!str ", "!x ", "| \n", ">-\n", "\"", "'", "\t", "\n", "  ", "#c\n", "%YAML 1.2\n", "? ", "<<: ", "\r\n", "\u0085", "\ufeff", "\0", "\ud800", "\u202e", "52:54:00:12:34:56", "  status:\n", "@", "`", ",", "\\", "\"\\x", "\"\\u12"),
            Gen.String[0, 6]);
        pieces.Array[0, 24].Select(string.Concat).Sample(text =>
        {
            var read = ResourceReader.Read(text);
            Assert.All(read.Mistakes, m =>
            {
                Assert.True(m.Line >= 1 && m.Column >= 1 && m.Document >= 1, m.ToString());
                Assert.NotEmpty(m.Message);
                Assert.DoesNotContain(m.ToString(), char.IsControl);
            });
            Assert.True(read.Mistakes.Count > 0 || read.Documents.Count > 0);
        }, iter: 20_000);
    }

    [Fact]
    public void Never_throws_on_a_damaged_document()
    {
        var good = Host + "\n---\n" + Network;
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Char, Gen.Int[0, 3]).Array[1, 6].Sample(edits =>
        {
            var text = new System.Text.StringBuilder(good);
            foreach (var (at, c, how) in edits)
            {
                if (at >= text.Length)
                    continue;
                _ = how switch { 0 => text.Remove(at, 1), 1 => text.Insert(at, c), 2 => text.Insert(at, '\n'), _ => text.Remove(at, Math.Min(8, text.Length - at)) };
            }
            var read = ResourceReader.Read(text.ToString());
            Assert.All(read.Mistakes, m => Assert.True(m.Line >= 1 && m.Column >= 1, m.ToString()));
        }, iter: 5_000);
    }

    private static IResource Good(string text)
    {
        var read = ResourceReader.Read(text);
        Assert.Empty(read.Mistakes);
        return Assert.Single(read.Documents).Resource;
    }

    private static string ImageWith(string line) => $"apiVersion: provisioner/v1\nkind: Image\nmetadata: {{name: debian-12}}\nspec:\n  architecture: amd64\n  kernel: install/vmlinuz\n  {line}";

    private static void AssertMistake(string kind, IEnumerable<string> lines, string path, string message)
    {
        var text = $"apiVersion: provisioner/v1\nkind: {kind}\nmetadata: {{name: x}}\nspec:\n" + string.Concat(lines.Select(l => $"  {l}\n"));
        var read = ResourceReader.Read(text);
        var mistake = Assert.Single(read.Mistakes, m => (m.Path ?? "") == path && m.Message == message);
        Assert.True(mistake.Line >= 4, mistake.ToString());
        Assert.NotNull(mistake.Expected);
        Assert.True(path.Length == 0 || read.Documents.Count == 0);
    }

    private static string Show(ResourceDocuments read) =>
        string.Join('\n', read.Mistakes.Select(m => $"{m.Document} {m.Line}:{m.Column} {m.Path}: {m.Message}"));
}
