using System.Diagnostics;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Join;

/// <summary>The program and its units as files.</summary>
public sealed class JoinFilesTests
{
    [Theory]
    [InlineData("provisioner-certificate")]
    [InlineData("provisioner-join")]
    [InlineData("provisioner-preflight")]
    public async Task The_program_is_clean_for_a_POSIX_shell(string program)
    {
        var run = await RunAsync(JoinFixture.Require("shellcheck"), "-s", "sh", "-o", "check-unassigned-uppercase,deprecate-which", JoinFixture.TemplateFile(program));

        Assert.True(run.Exit == 0, run.Said);
    }

    [Fact]
    public async Task The_units_are_good()
    {
        var systemd = JoinFixture.Require("systemd-analyze");
        using var directory = new TemporaryDirectory();
        string[] units =
        [
            "provisioner-enrol.service", "provisioner-enrol.timer", "provisioner-renew.service", "provisioner-renew.timer",
            "provisioner-join.service", "provisioner-join.timer", "provisioner-upgrade.service", "provisioner-upgrade.timer",
        ];
        // It also looks whether the program is there, which is installed on hosts alone.
        foreach (var unit in units)
            await File.WriteAllTextAsync(directory[unit], (await File.ReadAllTextAsync(JoinFixture.TemplateFile(unit))).Replace("/usr/local/sbin/", JoinFixture.TemplateFile("") + "/", StringComparison.Ordinal));

        var run = await RunAsync(systemd, ["verify", .. units.Select(unit => directory[unit])]);

        Assert.True(run.Exit == 0 && !run.Said.Contains("provisioner-", StringComparison.Ordinal), run.Said);
    }

    // systemd 239 (RHEL 8) does not load a one-shot unit that has Restart=.
    [Theory]
    [InlineData("provisioner-enrol.service")]
    [InlineData("provisioner-renew.service")]
    [InlineData("provisioner-join.service")]
    [InlineData("provisioner-upgrade.service")]
    public async Task A_one_shot_unit_leaves_trying_again_to_its_timer(string unit)
    {
        var lines = await File.ReadAllLinesAsync(JoinFixture.TemplateFile(unit));

        Assert.Contains("Type=oneshot", lines);
        Assert.DoesNotContain(lines, line => line.StartsWith("Restart", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Help_teaches()
    {
        var run = await RunAsync(JoinFixture.TemplateFile("provisioner-certificate"), "--help");

        Assert.Equal(0, run.Exit);
        foreach (var word in (string[])["enrol", "renew", "--now", "check", "/etc/provisioner/join.conf", "APPLIANCE=", "REKEY=", "Exit:"])
            Assert.Contains(word, run.Said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("provisioner-join", "run upgrade leave check --ignore /etc/provisioner/join.conf nodeadm Exit:")]
    [InlineData("provisioner-preflight", "--tsv --answer dns-endpoint bandwidth provisioner-join Exit:")]
    public async Task Help_of_joining_teaches(string program, string words)
    {
        var run = await RunAsync(JoinFixture.TemplateFile(program), "--help");

        Assert.Equal(0, run.Exit);
        foreach (var word in words.Split(' '))
            Assert.Contains(word, run.Said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("provisioner-join", "", "What is to be done?")]
    [InlineData("provisioner-join", "join", "There is no command \"join\".")]
    [InlineData("provisioner-join", "run --attempts x", "--attempts wants a number")]
    [InlineData("provisioner-join", "run --ignore", "--ignore wants codes")]
    [InlineData("provisioner-join", "run --now", "run does not know \"--now\".")]
    [InlineData("provisioner-join", "upgrade 1.35", "upgrade does not know \"1.35\"")]
    [InlineData("provisioner-join", "leave", "provisioner-join leave --yes")]
    [InlineData("provisioner-join", "check all", "check takes nothing.")]
    [InlineData("provisioner-preflight", "network", "There is no check \"network\".")]
    [InlineData("provisioner-preflight", "--answer", "--answer wants a file.")]
    public async Task Wrong_usage_of_joining_is_told_apart(string program, string arguments, string said)
    {
        var run = await RunAsync(JoinFixture.TemplateFile(program), arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));

        Assert.True(run.Exit == 2 && run.Said.Contains(said, StringComparison.Ordinal), run.Said);
    }

    [Theory]
    [InlineData("", "What is to be done?")]
    [InlineData("enroll", "There is no command \"enroll\".")]
    [InlineData("enrol --attempts", "--attempts wants a number")]
    [InlineData("enrol --attempts 0", "--attempts wants a number")]
    [InlineData("renew --soon", "renew does not know \"--soon\"")]
    [InlineData("check all", "check takes nothing.")]
    public async Task Wrong_usage_is_told_apart(string arguments, string said)
    {
        var run = await RunAsync(JoinFixture.TemplateFile("provisioner-certificate"), arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));

        Assert.True(run.Exit == 2 && run.Said.Contains(said, StringComparison.Ordinal), run.Said);
    }

    private static Task<Run> RunAsync(string program, params string[] arguments) =>
        JoinFixture.EndAsync(Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!);
}
