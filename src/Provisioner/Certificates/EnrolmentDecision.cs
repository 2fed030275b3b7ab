using System.Security.Cryptography;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Protocols.Est;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Certificates;

/// <summary>Why a certificate is refused, as far as the answer's status depends on it.</summary>
internal enum RefusalCause
{
    /// <summary>The caller did not show who it is: 401.</summary>
    NotAuthenticated,

    /// <summary>It is known and may not have one: 403.</summary>
    NotAllowed,

    /// <summary>The request is not well formed or asks for what nobody gets: 400.</summary>
    BadRequest,
}

/// <summary>Who asks, and with what.</summary>
internal abstract record CertificateQuestion(CertificateSigningRequest Request, string RequestHash)
{
    /// <summary>A first certificate: <c>simpleenroll</c> with an Installation's token.</summary>
    public sealed record Enrol(string Installation, string Token, CertificateSigningRequest Request, string RequestHash) : CertificateQuestion(Request, RequestHash);

    /// <summary>The next one: <c>simplereenroll</c> with the present one, whose key the TLS handshake has proven.</summary>
    public sealed record Renew(byte[] Present, CertificateSigningRequest Request, string RequestHash) : CertificateQuestion(Request, RequestHash);

    public static string HashOf(ReadOnlySpan<byte> der) => Convert.ToHexStringLower(SHA256.HashData(der));
}

/// <summary>What is to be done with a question.</summary>
internal abstract record EnrolmentDecision
{
    /// <summary>Sign the key for this host.</summary>
    public sealed record Issue(string Host, Installation? Installation, Certificate? Renews) : EnrolmentDecision;

    /// <summary>It was answered before, and the answer did not arrive: the same once more.</summary>
    public sealed record GiveAgain(Certificate Certificate) : EnrolmentDecision;

    public sealed record Refuse(RefusalCause Cause, string Reason) : EnrolmentDecision
    {
        public string? Host { get; init; }

        /// <summary>Set when a person has to see it.</summary>
        public Alert? Alert { get; init; }
    }

    /// <summary>After the end of its window an Installation's certificate is given again for so long: the request may have come in its last second.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromHours(1);

    /// <summary>Decides. Pure: the same question, snapshot and time give the same answer.</summary>
    public static EnrolmentDecision Of(CertificateQuestion question, Snapshot snapshot, DateTimeOffset now) => question switch
    {
        CertificateQuestion.Enrol enrol => First(enrol, snapshot, now),
        CertificateQuestion.Renew renew => Next(renew, snapshot, now),
        _ => throw new InvalidOperationException(question.GetType().Name),
    };

    /// <summary>Whether the token is one of the Installation's, with no regard to time and use.</summary>
    public static bool IsAuthentic(string installation, string token, Snapshot snapshot) =>
        EnrolmentToken.Matches(token, snapshot.FindInstallation(installation)?.TokenHashes ?? []);

    private static EnrolmentDecision First(CertificateQuestion.Enrol question, Snapshot snapshot, DateTimeOffset now)
    {
        if (snapshot.FindInstallation(question.Installation) is not { } installation || !EnrolmentToken.Matches(question.Token, installation.TokenHashes))
            return new Refuse(RefusalCause.NotAuthenticated, "the Installation or its token is wrong");
        var name = installation.Host;
        if (snapshot.Hosts.GetValueOrDefault(name) is not { } host)
            return Forbid(name, $"host {name} is no longer registered");
        if (host.RetiredAt is { } retired)
            return Forbid(name, $"host {name} was retired on {retired:u}");

        var spentFor = snapshot.CertificatesOf(name).FirstOrDefault(c => c.Installation == installation.Id);
        if (spentFor is not null)
        {
            if (spentFor.RequestHash != question.RequestHash)
            {
                return Forbid(name, $"the token was used already, at {spentFor.IssuedAt:u}; it is good for one certificate") with
                {
                    Alert = new Alert
                    {
                        Id = $"token-reuse:{name}",
                        Severity = AlertSeverity.Critical,
                        Host = name,
                        Message = $"The token of {name} was used a second time, with another key. Its first use gave certificate {spentFor.Serial} at {spentFor.IssuedAt:u}.",
                        Remedy = $"Find out who else had it. If the host itself was built twice from one seed, provision it anew; if not, 'provisioner ca revoke {name} --reason keyCompromise'.",
                    },
                };
            }
            if (!spentFor.IsGoodAt(now))
                return Forbid(name, spentFor.IsRevoked ? $"the certificate it was used for was revoked at {spentFor.RevokedAt:u}" : "the certificate it was used for is over");
            return now < installation.ClosesAt + Grace ? new GiveAgain(spentFor) : Forbid(name, $"the Installation's window ended at {installation.ClosesAt:u}");
        }
        if (now >= installation.ClosesAt)
            return Forbid(name, $"the Installation's window ended at {installation.ClosesAt:u}; 'provisioner provision {name}' opens another");
        if (!installation.MayEnrolAt(now))
            return Forbid(name, $"the Installation is not open: {installation.ClosedBecause ?? "it begins later"}");
        return Unfit(question.Request, name, snapshot) is { } unfit ? unfit : new Issue(name, installation, null);
    }

    private static EnrolmentDecision Next(CertificateQuestion.Renew question, Snapshot snapshot, DateTimeOffset now)
    {
        if (Recorded(question.Present, snapshot) is not { } present)
            return new Refuse(RefusalCause.NotAllowed, "the client certificate was not issued by this appliance");
        var name = present.Host;
        if (present.Purpose != CertificatePurpose.Host)
            return Forbid(name, "the client certificate is not a host's");
        if (present.RevokedAt is { } revoked)
            return Forbid(name, $"the certificate was revoked at {revoked:u}");
        if (snapshot.Hosts.GetValueOrDefault(name) is not { } host)
            return Forbid(name, $"host {name} is no longer registered");
        if (host.RetiredAt is { } retired)
            return Forbid(name, $"host {name} was retired on {retired:u}");
        if (now > present.NotAfter)
            return Forbid(name, $"the certificate ended at {present.NotAfter:u} and cannot be renewed any more; 'provisioner provision {name}' or 'provisioner token {name}' gives it a new start");
        if (now < present.NotBefore)
            return Forbid(name, $"the certificate is good only from {present.NotBefore:u}");
        if (snapshot.Authorities.GetValueOrDefault(present.Authority) is not { IsLive: true })
            return Forbid(name, "the authority that signed the certificate was retired");

        // RFC 7030 §4.2.2: subject and subjectAltName of the request are those of the present certificate.
        var request = question.Request;
        if (request.CommonNames is not [var commonName] || commonName != name)
            return Wrong(name, $"the request's common name is '{Shown(request.CommonNames)}', the certificate is {name}'s");
        if (request.DnsNames is not [var dnsName] || dnsName != name || request.HasOtherNames)
            return Wrong(name, $"the request's DNS names are '{Shown(request.DnsNames)}'{(request.HasOtherNames ? " and names of other kinds" : "")}, the certificate's is {name} alone");
        if (snapshot.CertificatesOf(name).LastOrDefault(c => c.Renews == present.Serial && c.RequestHash == question.RequestHash && c.IsGoodAt(now)) is { } given
            && !RenewalPlan.For(given, snapshot).IsDueAt(now))
            return new GiveAgain(given);
        return Unfit(request, name, snapshot) is { } unfit ? unfit : new Issue(name, null, present);
    }

    /// <summary>The record of exactly this certificate, or null: what is not recorded was not issued here, whoever signed it.</summary>
    public static Certificate? Recorded(byte[] der, Snapshot snapshot)
    {
        var serial = CertificateEncoding.SerialOf(der);
        return serial is not null && snapshot.Certificates.TryGetValue(serial, out var recorded) && der.AsSpan().SequenceEqual(recorded.Der) ? recorded : null;
    }

    private static Refuse? Unfit(CertificateSigningRequest request, string host, Snapshot snapshot)
    {
        if (request.AsksForAuthority)
            return Wrong(host, "the request asks to be a certificate authority (CA:TRUE)");
        var key = CertificateQuestion.HashOf(request.SubjectPublicKeyInfo.Span);
        if (snapshot.CompromisedKeys.Contains(key))
            return Wrong(host, "the key is known to be compromised: make a new one");
        if (snapshot.HostByKey.TryGetValue(key, out var owner) && owner != host)
            return Wrong(host, $"the key is that of host {owner} already: make a new one (was the disk copied?)");
        return null;
    }

    private static string Shown(IReadOnlyList<string> names) => Reading.Shorten(string.Join(", ", names.Select(name => Texts.OneLine(name, 64))));

    private static Refuse Forbid(string host, string reason) => new(RefusalCause.NotAllowed, reason) { Host = host };

    private static Refuse Wrong(string host, string reason) => new(RefusalCause.BadRequest, reason) { Host = host };
}
