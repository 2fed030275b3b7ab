namespace Provisioner.Api.Description;

/// <summary>
/// What the API answers with, besides resources, whose keys describe themselves. One line a schema: its keys, each with its type where that is not a
/// text, and <c>!</c> where it is always there. <c>#Name</c> is another schema, <c>[]</c> a list.
/// </summary>
internal static class ApiSchemas
{
    public static IReadOnlyDictionary<string, string> All { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["Problem"] = "type! title! status:integer! detail! errors:[]#Mistake!",
        ["Mistake"] = "document:integer line:integer column:integer key value message! expected",

        ["Event"] = "id:integer! at:date-time! source! outcome! host macAddress what! reason! actor subject",
        ["State"] = "host! state! stage reason since:date-time profile rack zone certificateEndsAt:date-time",
        ["NetBoxDevice"] = "name! host:#Host! mistakes:[]string!",
        ["Discovered"] = "macAddress! vendor architecture manufacturer product serial uuid vendorClass address network firstSeen:date-time! lastSeen:date-time! times:integer! ignoredAt:date-time",
        ["Stage"] = "name! state! startedAt:date-time! endedAt:date-time seconds:number! message",
        ["Installation"] = "id! host! profile! image! open:boolean! enrolOnly:boolean diskless:boolean openedAt:date-time! closesAt:date-time! installedAt:date-time heardAt:date-time stages:[]#Stage closedAt:date-time closedBecause actor",
        ["Join"] = "attempt startedAt:date-time heardAt:date-time joinedAt:date-time nodeIp kubernetesVersion activation activationEndsAt:date-time stages:[]#Stage",
        ["Finding"] = "host! at:date-time! by! code! verdict! found! breaks ask",
        ["Lease"] = "address! macAddress! network! hostName endsAt:date-time! declined:boolean!",
        ["Alert"] = "id! severity! host message! remedy! firstAt:date-time! lastAt:date-time! times:integer! dismissedAt:date-time",
        ["Node"] = "name! host known:boolean! cluster! state! reason since:date-time lastKnownAt:date-time version address providerId credentialProvider cpus:number memoryMiB:number software conditions cordoned:boolean problem idleSince:date-time pendingServingRequests:[]string",
        ["HostStatus"] = "state! stage reason lastAnswered:date-time retiredAt:date-time certificate:#Certificate installation:#Installation join:#Join node:#Node",
        ["ClusterStatus"] = "followed:boolean! connected:boolean! since:date-time heardAt:date-time reason nodes:integer pendingServingRequests:[]object pendingServingRequestsUnknown",
        ["Certificate"] = "serial! host! authority! state! issuedAt:date-time! notBefore:date-time! notAfter:date-time! renewAfter:date-time renews installation seenByAwsAt:date-time revokedAt:date-time revokedBecause certificate",
        ["Authority"] = "id! subject! state! algorithm! keyStore! createdAt:date-time! notBefore:date-time notAfter:date-time issuingSince:date-time retiredAt:date-time hosts:integer move:object crl:object fingerprint certificate chain:[]string",
        ["Ca"] = "whyNotIssuing authorities:[]#Authority! retired:integer! hostsWithCertificate:integer! hostsToMove:integer nextStep did",
        ["Revoked"] = "revoked:[]#Certificate! crlNumber:number retiredAt:date-time steps:[]object",
        ["EnrolmentToken"] = "host! installation! token! closesAt:date-time! enrolOnly:boolean!",
        ["DiskPassphrase"] = "host! passphrase!",

        ["Applied"] = "dryRun:boolean! results:[]#Outcome!",
        ["Outcome"] = "kind! name! result!",
        ["Deleted"] = "kind! name! result! dryRun:boolean!",
        ["Explanation"] = "macAddress! host client! network dhcp! appliance! intent! reason! steps:[]object!",
        ["Status"] = "version! processId:integer! startedAt:date-time! dataDirectory! revision:integer! droppedJournalEntries:integer! alerts:integer! planes:[]#Plane! machine:[]#MachineFeature! counts:object!",
        ["Plane"] = "plane! listens:boolean! at! reason!",
        ["MachineFeature"] = "feature! works:boolean! says!",
        ["Machine"] = "machine!",
        ["Backup"] = "problem bytes:integer sha256 at:date-time changes:integer hosts:integer certificates:integer authorities:integer images:[]#BackedUpImage needs:[]string file",
        ["BackedUpImage"] = "name! bytes:integer! included:boolean!",
        ["StoredBackup"] = "name! at:date-time! bytes:integer! place!",
        ["Webhook"] = "name! host! sources:[]string! outcomes:[]string! deliveries:[]#WebhookDelivery!",
        ["WebhookDelivery"] = "event:integer firstAt:date-time! lastAt:date-time! attempts:integer! delivered:boolean! givenUp:boolean! answer!",
        ["ApplianceFinding"] = "code! verdict! found! breaks ask",
        ["ImageVerification"] = "image! files:integer! bytes:integer! differences:[]string!",

        ["Artifact"] = "path! url sha256! size:integer! fetchedAt:date-time lastUsed:date-time verifiedBy pinned:boolean",
        ["Artifacts"] = "items:[]#Artifact! size:integer! maximumSize:integer! offline:boolean!",
        ["ArtifactVerification"] = "files:integer! bytes:integer! differences:[]string!",
        ["Evicted"] = "evicted:integer! bytes:integer!",
        ["AwsFinding"] = "code! severity! wrong! breaks! remedy!",
        ["AwsTrial"] = "host! cluster! accepted:boolean! refusedBy said findings:[]#AwsFinding",
        ["IdleNode"] = "name! host cluster! since:date-time why! cpus:number monthlyCost:number",
        ["Idle"] = "items:[]#IdleNode! for! price:number monthlyCost:number unreachable:[]string!",
        ["UpgradedHost"] = "host! wave:integer! stage! startedAt:date-time endedAt:date-time message",
        ["Upgrade"] = "id! cluster! version! method! state! reason pause startedAt:date-time! endedAt:date-time actor done:integer! of:integer! hosts:[]#UpgradedHost!",

        ["User"] = "name! role! issuer createdAt:date-time! passwordChangedAt:date-time lastSignInAt:date-time sessions:integer!",
        ["Session"] = "id! user! createdAt:date-time! seenAt:date-time! endsAt:date-time! address agent",
        ["Token"] = "name! role! createdAt:date-time! endsAt:date-time! lastUsedAt:date-time lastUsedFrom actor token",
        ["Visitor"] = "signedIn:boolean name kind role endsAt:date-time csrfToken",
        ["AuditedChange"] = "record! before:object after:object",
        ["AuditEntry"] = "sequence:integer! at:date-time! actor! what! reason! subject changes:[]#AuditedChange! previous! hash!",
        ["AuditVerification"] = "intact:boolean! entries:integer! head! wrong",
    };
}
