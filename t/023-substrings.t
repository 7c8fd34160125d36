#!/usr/bin/perl
# scim_index … type=substring answers co, sw and ew: `nginx -t` refuses one that cannot be built, workers build it while
# requests are served, also over kills, queries then use it and find what a scan finds, and it is dropped when the
# directive is removed. What a refusal recommends helps.

use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $base = '/scim/v2/Users';
my $store = 'scim_store main %%DIR%%/store; add_header X-Pid $pid always;';
my $server = 'location /scim/v2/ { scim main; scim_explain on; } location /few/ { scim main; scim_max_scan 100; }';
my $t = Scim->new(workers => 2, http => $store, server => $server);

# --- nginx -t

conf_good $t, "scim_index $_ is accepted", http => "$store scim_index $_;", server => $server
    for 'User name.familyName title type=substring', 'User userName emails.value type=substring store=main',
        'User title; scim_index User title type=substring', 'User profileUrl type=substring';
conf_bad $t, "scim_index $_->[0] is refused", qr/"scim_index" for store "main": $_->[1] in \S+nginx\.conf:\d+/,
    http => "$store scim_index $_->[0];", server => $server for (
    ['User active type=substring', qr/"active" of User is a boolean, which cannot have an index with type=substring/],
    ['User password type=substring', qr/"password" of User is never returned, so it cannot have an index/],
    ['User title title type=substring', qr/"title" of User with type=substring is duplicate/]);
conf_bad $t, "scim_index with type=$_ is refused",
    qr/invalid value "type=$_" in "scim_index" directive, it must be "type=substring" in/,
    http => "$store scim_index User title type=$_;", server => $server for qw(trigram value);
conf_bad $t, 'scim_index with only type= is refused', qr/no attribute in "scim_index" directive/,
    http => "$store scim_index User type=substring;";
my @some = qw(title nickName userType locale timezone preferredLanguage profileUrl displayName);
conf_good $t, 'scim_index with 16 indexes of a type is accepted', server => $server,
    http => "$store scim_index User @some; scim_index User @some type=substring;";
conf_bad $t, 'scim_index with 17 indexes of a type is refused', qr/User has more than 16 indexes/, server => $server,
    http => "$store scim_index User @some; scim_index User @some userName type=substring;";

# --- without an index

$t->conf(undef, http => $store, server => $server);
my $token = $t->seed('acme');
$t->start->served($base, token => $token);
my $c = $t->client(token => $token);
my $count = 450;
my @names = ('Anna Müller', 'Hans-Peter Groß', 'Zoé', 'JOHANNA', 'Bo', 'von der Straße');
is scalar(grep $_->{status} == 201, $c->pipeline(map [POST => $base, json => Scim::user("u$_", displayName => "$names[$_ % 6] $_",
    emails => [{ value => "u$_\@example.com" }, { value => "Other.$_\@Example.org", type => 'home' }])], 1 .. $count)), $count,
    'users are created';

# Returns SCIM-Explain and the userNames of a list.
sub list { my ($query) = @_;
    my $r = $c->request(GET => "$base?$query");
    return ($r->{headers}{'scim-explain'} // "no header, $r->{status}", map $_->{userName}, @{ $r->{json}{Resources} // [] }) }
sub filter_of { my ($text) = @_; utf8::encode($text) if utf8::is_utf8($text);
    $text =~ s/([^A-Za-z0-9])/sprintf '%%%02x', ord $1/ge; return "count=1000&filter=$text" }
my @filters = map { filter_of($_) } (
    'displayName co "nna"', 'displayName co "müll"', 'displayName co "STRASSE"', 'displayName sw "jo"', 'displayName ew " 145"',
    'displayName eq "bo 4"', 'displayName co "an"', 'emails.value co "r.44"', 'emails[value co "other" and type eq "home"]',
    'emails.value ew ".org" and displayName co "gross"', 'not (displayName co "nna")', 'displayName co "nna" or displayName co "peter"',
    'displayName co "nobody"', 'emails co "U44@"', 'displayName co "nna" and userName eq "u12"');
my @scanned = map { my ($explain, @found) = list($_); "@found" } @filters;
is scalar(grep $_ ne '', @scanned), @filters - 1, 'all filters but one find users';
like +(list($filters[0]))[0], qr/^User: scan, 450 resources, verified;/, 'co examines all users';
is_error $c->request(GET => "/few/Users?$filters[0]"), 400, 'tooMany',
    qr/ask for "scim_index User displayName type=substring;" in nginx's configuration, or/,
    'a query that examines too many resources is refused, and the directive that helps is named';
unlike +($c->request(GET => "/few/Users?$filters[6]"))->{json}{detail}, qr/scim_index/,
    'it is not named for a term of two bytes, for which it does not help';
my ($exit, $out) = $t->scimctl(qw(explain --tenant acme), 'displayName co "nna"');
like $out, qr/^Fewer resources are examined with: scim_index User displayName type=substring;$/m, 'scimctl explain names it, too';

# --- the indexes are built

sub indexes { my (undef, $out) = $t->scimctl(qw(--json index list));
    return { map { ("$_->{type} $_->{attribute}" => $_->{state}) } grep $_->{kind} eq 'substring', @{ $Scim::json->decode($out)->{indexes} } } }
sub reloaded { my ($http) = @_; $t->conf(undef, http => "$store $http", server => $server); return $t->reload(gone => 1) }
sub sound { my ($name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($exit, @said) = $t->scimctl('verify'); return is $exit, 0, "scimctl verify finds no problem $name" || diag @said }
my $ready = sub { my $is = indexes(); ($is->{'User displayName'} // '') eq 'ready' && ($is->{'User emails.value'} // '') eq 'ready' };
ok reloaded('scim_index User displayName emails.value type=substring;'), 'scim_index is added by a reload';
ok $t->wait_for($ready), 'the indexes become ready';
sound('with the indexes');
($exit, $out) = $t->scimctl(qw(index list));
like $out, qr/^User displayName type=substring ready\nUser emails\.value ready\nUser emails\.value type=substring ready$/m,
    'scimctl index list prints a line for each';
like +($t->scimctl('stats'))[1], qr/^Index User displayName type=substring: ready$/m, 'so does scimctl stats';
$c = $t->client(token => $token);
my @plans;
for (0 .. $#filters) {
    my ($explain, @found) = list($filters[$_]);
    is "@found", $scanned[$_], "with the indexes the same users are found: $filters[$_]";
    push @plans, $explain =~ /^User: (.*?), \d/;
}
is_deeply \@plans, ['substring index displayName co', 'substring index displayName co', 'substring index displayName co',
    'substring index displayName sw', 'substring index displayName ew', 'substring index displayName eq', 'scan',
    'substring index emails.value co', 'substring index emails.value co', 'substring index emails.value ew and displayName co',
    'scan', 'any of (substring index displayName co, substring index displayName co)', 'substring index displayName co',
    'substring index emails.value co', 'index userName eq'], 'SCIM-Explain names the indexes' or diag explain \@plans;
like +(list($filters[4]))[0], qr/^User: substring index displayName ew, 1 rows, verified; examined=1; rows=\d+; returned=1;/,
    'a query examines only the users that the index finds';
is_list $c, "/few/Users?" . filter_of('displayName ew " 145"'), 1, 1, 'a query that was refused is answered';
my @pages;
for (my $next = ''; defined $next && @pages < 1000;) {
    my $r = $c->request(GET => "$base?" . filter_of('displayName co "nna"') =~ s/count=1000/count=7/r . "&cursor=$next")->{json};
    push @pages, map $_->{userName}, @{ $r->{Resources} };
    $next = $r->{nextCursor};
}
is "@pages", $scanned[0], 'the pages by cursor are the parts of the list';
is join(' ', (list(filter_of('displayName co "nna"') =~ s/count=1000/count=10&startIndex=101/r))[1 .. 10]),
    join(' ', (split ' ', $scanned[0])[100 .. 109]), 'so are those by startIndex';

# --- writes, kills while it is built, and a drop

my $id = $c->request(GET => "$base?filter=userName+eq+%22u4%22")->{json}{Resources}[0]{id};
is $c->request(PATCH => "$base/$id", json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations => [{ op => 'replace', path => 'displayName', value => 'Baroness' }] })->{status}, 200, 'a name is changed';
is_list $c, "$base?" . filter_of('displayName co "RONES"'), 1, 1, 'the index finds the new value';
is_list $c, "$base?" . filter_of('displayName eq "bo 4"'), 0, 0, 'the index does not find the old value';

# --- scimctl reindex, and a copy

is_deeply [$t->scimctl('reindex', 'User displayname')], [1, '', qq(scimctl: there is no index "User displayname"; scimctl index list lists the indexes\n)],
    'scimctl reindex refuses an unknown name';
$t->stop;
($exit, $out) = $t->scimctl('reindex', 'User displayName type=substring');
is "$exit $out", qq(0 The index "User displayName type=substring" is dropped and built again.\nnginx begins within a minute; scimctl index list shows how far it is.\n),
    'scimctl reindex begins the work';
like +($t->scimctl('stats'))[1], qr/^Jobs: +the rows of the index of User displayName type=substring are being deleted, and it is built again afterwards$/m,
    'scimctl stats shows it';
$t->start;
ok $t->wait_for($ready), 'nginx drops and builds the index again';
($exit, $out) = $t->scimctl(qw(--json reindex));
is_deeply $Scim::json->decode($out), { indexes => ['User displayName type=substring', 'User emails.value type=substring'] },
    'scimctl reindex without a name begins all indexes of scim_index while nginx runs' or diag $out;
$c = $t->client(token => $token);
is_list $c, "$base?" . filter_of('displayName co "RONES"'), 1, 1, 'queries are answered meanwhile';
is $c->request(POST => $base, json => Scim::user('meanwhile', displayName => 'Marchioness'))->{status}, 201, 'so are writes';
ok $t->wait_for($ready), 'the indexes become ready';
is_list $c, "$base?" . filter_of('displayName co "CHIONE"'), 1, 1, 'they find what was written meanwhile';
sound('after scimctl reindex');
is +($t->scimctl('compact', "$t->{dir}/copy"))[0], 0, 'scimctl compact copies the store';
{
    local $t->{store} = "$t->{dir}/copy";
    sound('in the copy');
    like +($t->scimctl(qw(explain --tenant acme), 'displayName co "chione"'))[1], qr/^Plan: User: substring index displayName co, 1 rows/,
        'the copy has the lists';
}
ok reloaded(''), 'scim_index is removed by a reload';
ok $t->wait_for(sub { !keys %{ indexes() } }), 'the indexes are dropped';
$c = $t->client(token => $token);
like +(list($filters[0]))[0], qr/^User: scan/, 'the filter examines all users again';
sound('without the indexes');

# Old workers write while newer ones build and drop, and workers are killed.
my $writers = $t->launch(3, 3, sub {
    my ($i, $client) = @_;
    my (%name, @wrong);
    for (my $n = 0; !-e "$t->{dir}/enough" && @wrong < 3; $n++) {
        my $r = $client->request(POST => $base, json => Scim::user("w$i-$n", displayName => "x$i-${n}y"));
        push @wrong, "$r->{status} $r->{body}" if $r->{status} !~ /^(?:0|201|503)$/;
        $name{"x$i-${n}y"} = "w$i-$n" if $r->{status} == 201;
    }
    return { name => \%name, wrong => \@wrong };
}, token => $token);
for my $round (1 .. 4) {
    $t->conf(undef, http => "$store scim_index User " . ($round % 2 ? 'displayName' : 'emails.value') . ' type=substring;', server => $server);
    $t->reload;
    $t->kill_worker(($t->workers)[0]);
}
reloaded('scim_index User displayName emails.value type=substring;');
ok $t->wait_for($ready), 'after reloads and kills the indexes of the last configuration are ready';
$t->write_file('enough', '');
my (%name, @wrong);
for my $result ($t->collect($writers)) {
    %name = (%name, %{ $result->{name} // {} });
    push @wrong, @{ $result->{wrong} // [$result->{error}] };
}
is "@wrong", '', 'every write meanwhile is answered';
$c = $t->client(token => $token);
my @lost = grep { my @got = list(filter_of("displayName ew \"$_\"")); $got[0] !~ /substring index/ || @got != 2 || $got[1] ne $name{$_} } keys %name;
is "@lost", '', 'the index finds every user that was created meanwhile (' . keys(%name) . ')';
sound('after kills and reloads');

$t->finish;
