using CsCheck;
using Provisioner.Joining;
using Provisioner.Resources;

namespace Provisioner.Tests.Joining;

public sealed class PreflightReportTests
{
    private static readonly Gen<string> Text = Gen.Char[' ', '~'].Array[0, 80].Select(c => new string(c).Trim()).Where(t => Redaction.Of(t) == t);

    private static readonly Gen<Finding> AnyFinding = Gen.Select(Gen.OneOf("dns-endpoint", "mtu", "a", "0", "tcp:602401143452.dkr.ecr.eu-west-1.amazonaws.com:443"), Gen.Enum<Verdict>(), Text, Text, Text,
        (code, verdict, found, breaks, ask) => new Finding(code, verdict, found, breaks, ask));

    [Fact]
    public void What_is_written_is_read_back() => AnyFinding.Array[1, PreflightReport.MaximumFindings].Sample(findings =>
    {
        Assert.True(PreflightReport.TryParse(PreflightReport.Write(findings), out var read, out var wrong), wrong);
        Assert.Equal(findings, read);
    });

    [Fact]
    public void Anybodys_text_is_refused_or_clean() => Gen.Frequency((1, Gen.String), (3, Gen.OneOf("a", "\t", "pass", "fail", "\n", "\r", "x\ty", "\u202e", "\0", "é").Array[0, 40].Select(string.Concat))).Sample(text =>
    {
        if (!PreflightReport.TryParse(text, out var findings, out var wrong))
        {
            Assert.Null(Texts.Printable(wrong));
            return;
        }
        Assert.InRange(findings.Length, 1, PreflightReport.MaximumFindings);
        Assert.All(findings, f => Assert.All([f.Code, f.Found, f.Breaks, f.Ask], t => Assert.True(Texts.Printable(t) is null && t.Length <= 601, t)));
    });

    [Theory]
    [InlineData("", "no finding")]
    [InlineData("\n\n", "no finding")]
    [InlineData("a\tpass", "line 1: 2 fields")]
    [InlineData("a\tpass\tb\nb\tpass\tb\tc\td\te\n", "line 2: 6 fields")]
    [InlineData("A\tpass\tb", "line 1: 'A' is not a finding's code")]
    [InlineData("a\tok\tb", "line 1: 'ok' is none of pass, warn, fail and skip")]
    public void What_is_wrong_is_named_with_its_line(string text, string said)
    {
        Assert.False(PreflightReport.TryParse(text, out _, out var wrong));
        Assert.Contains(said, wrong, StringComparison.Ordinal);
    }

    [Fact]
    public void No_more_than_so_many()
    {
        var line = "a\tpass\tb\n";
        Assert.True(PreflightReport.TryParse(string.Concat(Enumerable.Repeat(line, 64)), out _, out _));
        Assert.False(PreflightReport.TryParse(string.Concat(Enumerable.Repeat(line, 65)), out _, out var wrong));
        Assert.Contains("line 65: there are more than 64", wrong, StringComparison.Ordinal);
    }
}

public sealed class RedactionTests
{
    [Theory]
    [InlineData("activationCode: Ab+12345678901234567890", "activationCode: REDACTED")]
    [InlineData("{\"activationCode\":\"Ab+12345678901234567890\",\"x\":1}", "{\"activationCode\":\"REDACTED\",\"x\":1}")]
    [InlineData("ssm-setup-cli --activation-code Ab+1234567890 --activation-id 3f2e", "ssm-setup-cli --activation-code REDACTED --activation-id 3f2e")]
    [InlineData("TOKEN=abcdef", "TOKEN=REDACTED")]
    [InlineData("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key = REDACTED")]
    [InlineData("using ASIAIOSFODNN7EXAMPLE now", "using REDACTED now")]
    [InlineData("Authorization: Bearer abc.def-ghi", "Authorization: Bearer REDACTED")]
    [InlineData("k8s-aws-v1.aHR0cHM6Ly9zdHM", "REDACTED")]
    [InlineData("?X-Amz-Signature=0123456789abcdef&x=1", "?X-Amz-Signature=REDACTED&x=1")]
    [InlineData("-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\nIBkg\n-----END EC PRIVATE KEY-----\nend", "REDACTED\nend")]
    public void Secrets_are_taken_out(string text, string clean) => Assert.Equal(clean, Redaction.Of(text));

    [Theory]
    [InlineData("the one-time token was used at 12:00")]
    [InlineData("nodeadm init ended with 1: node IP 10.77.0.21 is not in any of the remote network CIDR blocks")]
    [InlineData("secrets are kept out of logs")]
    public void Other_words_stay(string text) => Assert.Equal(text, Redaction.Of(text));
}
