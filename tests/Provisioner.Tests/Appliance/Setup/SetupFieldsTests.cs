using Provisioner.Appliance.Setup;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Tests.Appliance.Setup;

public sealed class SetupFieldsTests
{
    [Fact]
    public void An_empty_file_of_answers_is_all_defaults()
    {
        var answers = SetupFields.Read("# nothing\n");

        Assert.Equal(new SetupAnswers(), answers);
        Assert.Equal(DhcpMode.Off, answers.Provisioning.Dhcp);
        Assert.Null(answers.Provisioning.Address);
    }

    [Fact]
    public void Everything_can_be_answered()
    {
        var answers = SetupFields.Read("""
            hostName: rack7-boot
            timeZone: Europe/Zurich
            timeServers: [10.77.0.5, ntp.example.com]
            provisioning:
              macAddress: 52:54:00:12:34:56
              address: 10.77.0.2/24
              gateway: 10.77.0.1
              nameServers: [10.77.0.5]
              dhcp: reserve
              range: 10.77.0.100-10.77.0.199
            administrator: { name: alice, password: correct horse battery }
            resources: |
              apiVersion: provisioner/v1
              kind: Network
            configuration: |
              aws: { credentials: none }
            """);

        Assert.Equal(new InterfaceAddress(new Ipv4Address(0x0A4D0002), 24), answers.Provisioning.Address);
        Assert.Equal("alice", answers.Administrator!.Name);
        Assert.Equal("correct horse battery", answers.Administrator.Password);
        Assert.StartsWith("apiVersion: provisioner/v1\nkind", answers.Resources, StringComparison.Ordinal);
        // What is kept and offered again, without the secret.
        var kept = YamlWriter.Write(SetupFields.Answers.Write(answers.WithoutSecrets()));
        Assert.DoesNotContain("horse", kept, StringComparison.Ordinal);
        Assert.Equivalent(answers.WithoutSecrets(), SetupFields.Read(kept));
    }

    [Theory]
    [InlineData("hostname: x", "there is no key 'hostname' in the answers; did you mean 'hostName'?")]
    [InlineData("hostName: Rack_7", "hostName: 'Rack_7' is not an RFC 1123 name")]
    [InlineData("provisioning: { address: 10.77.0.2 }", "provisioning.address: '10.77.0.2' is not an address on an interface. Expected: dhcp, or an address with its subnet's prefix such as 10.77.0.2/24")]
    [InlineData("provisioning: { address: 10.77.0.0/24 }", "'10.77.0.0/24' is not one host's address in 10.77.0.0/24")]
    [InlineData("provisioning: { address: 10.77.0.2/31 }", "has a prefix of 31 bits")]
    [InlineData("provisioning: { dhcp: reserve }", "provisioning.dhcp: the appliance would give addresses where it gets its own from another DHCP server")]
    [InlineData("provisioning: { address: 10.77.0.2/24, gateway: 10.78.0.1 }", "provisioning.gateway: 10.78.0.1 is not another host's address in 10.77.0.0/24")]
    [InlineData("provisioning: { address: 10.77.0.2/24, dhcp: reserve, range: 10.77.0.1-10.77.0.9 }", "provisioning.range: 10.77.0.2 lies in the range and would be leased")]
    [InlineData("provisioning: { address: 10.77.0.2/24, dhcp: proxy, range: 10.77.0.10-10.77.0.19 }", "provisioning.range: addresses are given with dhcp: reserve alone")]
    [InlineData("provisioning: { interface: eno1, macAddress: 52:54:00:12:34:56 }", "provisioning.macAddress: names the interface a second time")]
    [InlineData("restore: { file: a.age, passphrase: x }\nadministrator: { name: alice, password: correct horse battery }", "administrator: a backup has its own people")]
    [InlineData("restore: { file: a.age }", "restore.passphrase: a backup is opened by a passphrase or by a key")]
    [InlineData("restore: { file: ../a.age, passphrase: x }", "leaves the volume by '..'")]
    [InlineData("hostName: a\n---\nhostName: b", "a second document")]
    public void A_wrong_answer_is_told_with_its_key_and_what_would_be_right(string text, string expected) =>
        Assert.Contains(expected, Assert.Throws<ChangeRefusedException>(() => SetupFields.Read(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void What_is_wrong_with_a_secret_is_told_without_it()
    {
        var told = Assert.Throws<ChangeRefusedException>(() => SetupFields.Read("administrator: { name: alice, password: tooshort }")).Message;

        Assert.Contains("administrator.password: the value has 8 characters", told, StringComparison.Ordinal);
        Assert.DoesNotContain("tooshort", told, StringComparison.Ordinal);
    }
}
