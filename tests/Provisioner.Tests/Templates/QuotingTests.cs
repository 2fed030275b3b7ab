using System.Diagnostics;
using CsCheck;
using Provisioner.Templates;

namespace Provisioner.Tests.Templates;

public sealed class QuotingTests
{
    [Theory]
    [InlineData("console=ttyS0,115200")]
    [InlineData("a=\"b\"")]
    [InlineData("x;y&&z")]
    [InlineData("$5")]
    public void One_iPXE_word_is_left_as_it_is(string value) => Assert.Equal(value, Quoting.IpxeToken(value));

    [Theory]
    [InlineData("")]
    [InlineData("two words")]
    [InlineData("tab\there")]
    [InlineData("line\nbreak")]
    [InlineData("${uuid}")]
    [InlineData("#comment")]
    [InlineData("&&")]
    [InlineData("||")]
    [InlineData(";")]
    public void What_is_not_one_iPXE_word_is_refused(string value) => Assert.Throws<QuotingException>(() => Quoting.IpxeToken(value));

    [Fact]
    public void IPXE_text_never_acts() => Gen.String.Sample(value =>
    {
        var text = Quoting.IpxeText(value);
        return text.Length == value.Length && text.All(c => c is >= ' ' and <= '~' && !"$#&|;".Contains(c, StringComparison.Ordinal));
    });

    // GRUB's single quotes are the shell's, so the shell is the judge: the word must come back as it was, and alone.
    [Fact]
    public void A_GRUB_word_comes_back_from_a_real_parser_as_it_was() => Gen.String[Gen.Char[' ', '~'], 0, 60].Array[1, 50].Sample(values =>
    {
        using var sh = Process.Start(new ProcessStartInfo("/bin/sh", ["-s"]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        sh.StandardInput.Write($"printf '%s\\n' {string.Join(' ', values.Select(Quoting.GrubWord))}\n");
        sh.StandardInput.Close();
        return sh.StandardOutput.ReadToEnd() == string.Concat(values.Select(v => v + "\n"));
    }, iter: 20);

    [Fact]
    public void A_GRUB_word_with_a_control_character_is_refused() =>
        Gen.Select(Gen.String[Gen.Char[' ', '~'], 0, 9], Gen.Char['\0', '\u001f']).Sample((text, control) =>
            Assert.Throws<QuotingException>(() => Quoting.GrubWord(text + control)));

    [Fact]
    public void A_URL_path_keeps_its_slashes_and_nothing_else() =>
        Assert.Equal("images/a%20b/c%3Fd%23e/%C3%A4", Quoting.UrlPath("images/a b/c?d#e/ä"));
}
