using Provisioner.Appliance;
using Provisioner.Appliance.Setup;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Tests.Appliance.Setup;

/// <summary>What answers become, as whole files.</summary>
public sealed class SetupFilesTests
{
    private const string Static = """
        hostName: rack7-boot
        timeZone: Europe/Zurich
        timeServers: [10.77.0.5]
        provisioning: { address: 10.77.0.2/24, gateway: 10.77.0.1, nameServers: [10.77.0.5, 10.77.0.6], dhcp: reserve, range: 10.77.0.100-10.77.0.199 }
        configuration: |
          aws: { credentials: none }
        """;

    private static readonly WiredLink Link = new("eno1", MacAddress.Parse("52:54:00:12:34:56"), true);

    [Fact]
    public void An_address_of_its_own() => Golden.Match(SetupFiles.NetworkUnit(SetupFields.Read(Static), Link), "static.network");

    [Fact]
    public void An_address_by_DHCP() => Golden.Match(SetupFiles.NetworkUnit(SetupFields.Read(""), Link), "dhcp.network");

    [Fact]
    public void The_Network_that_servers_boot_on()
    {
        var answers = SetupFields.Read(Static);
        Golden.Match(SetupFiles.Network(answers, Link, answers.Provisioning.Address!.Subnet), "network.yaml");
    }

    [Fact]
    public void The_configuration_keeps_what_is_not_the_set_ups_and_is_written_anew_when_it_is_run_again()
    {
        const string Before = "# How the Provisioner service runs.\n#data: /var/lib/provisioner\nhttp: { port: 8081 }\n";

        var first = SetupFiles.Configuration(SetupFields.Read(Static), Before);
        Golden.Match(first, "provisioner.yaml");
        var options = ApplianceConfiguration.Read(first);
        Assert.Equal(("rack7-boot", "Europe/Zurich", 8081), (options.Machine.HostName, options.Machine.TimeZone, options.Http.Port));

        Assert.Equal(first, SetupFiles.Configuration(SetupFields.Read(Static), first));
        var second = SetupFiles.Configuration(SetupFields.Read("hostName: rack8-boot"), first);
        Assert.DoesNotContain("rack7", second, StringComparison.Ordinal);
        Assert.Contains("http: { port: 8081 }", second, StringComparison.Ordinal);
        Assert.Equal("rack8-boot", ApplianceConfiguration.Read(second).Machine.HostName);
    }

    [Fact]
    public void What_would_be_no_configuration_is_refused_before_anything_is_written()
    {
        var twice = Assert.Throws<ChangeRefusedException>(() => SetupFiles.Configuration(SetupFields.Read(""), "machine: { hostName: a }\n"));
        Assert.Contains("the key 'machine' is there twice", twice.Message, StringComparison.Ordinal);
        var unknown = Assert.Throws<ChangeRefusedException>(() => SetupFiles.Configuration(SetupFields.Read("configuration: |\n  htpt: {}\n"), ""));
        Assert.Contains("did you mean 'http'?", unknown.Message, StringComparison.Ordinal);
    }
}
