#!/usr/bin/perl
# "uniqueness": "server" in a schema of scim_schema is enforced, for each resource type and tenant, by the case rule of the
# attribute, and published exactly when it is enforced. If resources have the same value when the attribute becomes unique,
# the log and scimctl duplicates name them, and nothing is enforced until they are changed and nginx is reloaded.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $urn = 'urn:acme:params:scim:schemas:extension:acme:2.0:User';
my ($users, $user) = ('/scim/v2/Users', $Scim::Check::user_urn);
my $server = 'location /scim/v2/ { scim main; }';
my $plain = 'scim_store main %%DIR%%/store; add_header X-Pid $pid always;';
my $with = "$plain scim_schema %%DIR%%/acme.json;";
my @unique = (uniqueness => 'server');
my ($yes, $no) = (JSON::PP::true, JSON::PP::false);

sub declare {
    my ($t, %badge) = @_;
    $t->write_file('acme.json', $Scim::json->encode({ id => $urn, attributes => [
        { name => 'badge', %badge }, { name => 'exact', caseExact => $yes, @unique }, { name => 'number', type => 'integer', @unique },
        { name => 'tags', multiValued => $yes, @unique },
        { name => 'keys', type => 'complex', multiValued => $yes, subAttributes => [{ name => 'value', @unique }, { name => 'type' }] },
        { name => 'desk', type => 'complex', subAttributes => [{ name => 'plate', @unique }, { name => 'floor' }] }] }));
    return;
}

my $t = Scim->new(workers => 2, http => $with, server => $server);
declare($t);
my $token = $t->seed('acme');
$t->start->served($users, token => $token);
my $c = $t->client(token => $token);

sub person { my ($name, %acme) = @_; return { schemas => [$user, $urn], userName => $name, %acme ? ($urn => \%acme) : () } }
sub create { return $c->request(POST => $users, json => person(@_)) }
sub ops { return { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations => [@_] } }
sub patch { my ($id, $path, $value) = @_; return $c->request(PATCH => "$users/$id", json => ops({ op => 'replace', path => "$urn:$path", value => $value })) }

sub uniqueness {
    my $schema = $c->request(GET => "/scim/v2/Schemas/$urn");
    my ($badge) = grep $_->{name} eq 'badge', @{ $schema->{json}{attributes} // [] };
    return $badge->{uniqueness} // $schema->{status};
}

# Reloads and waits until both workers publish this uniqueness of badge, or 404 for the schema.
sub reloaded {
    my ($http, $published) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $t->conf(undef, http => $http, server => $server);
    ok $t->reload(gone => 1), 'a reload succeeds';
    my %served;
    ok $t->wait_for(sub {
        $c = $t->client(token => $token);
        my $said = uniqueness();
        $served{ $c->request(GET => "$users?count=0")->{headers}{'x-pid'} } = 1 if $said eq $published;
        return keys %served == 2;
    }), "badge is published with $published";
    return $c = $t->client(token => $token);
}

sub is_sound { return is +($t->scimctl('verify'))[0], 0, "scimctl verify finds no problem $_[0]" }

# --- unique from the beginning

my %id = map { $_->[0] => create(@$_)->{json}{id} } ['ada', badge => 'B-1', exact => 'x', number => 7, tags => [qw(one two)],
    keys => [{ value => 'k1', type => 'a' }, { value => 'k1', type => 'b' }], desk => { plate => 'P1', floor => '1' }],
    ['bob', badge => 'b-1', tags => ['three']], ['carl', badge => 'B-2'], ['dora'];
my $taken = sub { my ($what, %acme) = @_; return is_error create('eve', %acme), 409, 'uniqueness',
    qr/^\Q$urn\E:\S+ "?[^"]+"? is taken by the User \Q$id{ada}\E/, "POST with $what of another user is refused with 409" };
$taken->('the caseExact value', exact => 'x');
$taken->('the number', number => 7);
$taken->('one of the values of a multi-valued attribute', tags => ['zero', 'TWO']);
$taken->('the sub-attribute of an element', keys => [{ value => 'K1', type => 'c' }]);
$taken->('the sub-attribute of a complex attribute', desk => { plate => 'p1' });
is_user create('frank', exact => 'X', number => 8, tags => ['four']), 201, 'POST with the value in another case of a caseExact attribute is answered with 201';
is_error patch($id{dora}, 'tags', ['three']), 409, 'uniqueness', qr/tags "three" is taken by the User \Q$id{bob}\E/,
    'PATCH with a value of another user is refused with 409';
is patch($id{ada}, 'tags', [qw(two one)])->{status}, 200, 'PATCH with the own values is answered with 200';
is patch($id{ada}, 'number', 9)->{status} . create('gil', number => 7)->{status}, '200201', 'a value that was changed is free at once';
is $t->request(POST => $users, token => $t->token($t->tenant('globex')), json => person('ada', exact => 'x', number => 9))->{status}, 201,
    'another tenant may have the same values';

# --- an attribute becomes unique, and two users have the same value

is uniqueness(), 'none', 'badge is published as not unique';
is scalar(grep $_->{status} == 201, $c->pipeline(map [POST => $users, json => person("many$_", badge => "M-$_")], 1 .. 500)), 500,
    '500 more users are created';
declare($t, @unique);
reloaded($with, 'none');
ok $t->wait_log(qr/\[error\][^\n]*scim: the attribute "\Q$urn\E:badge" of User is declared unique, but is not enforced, because resources have the same value: "B-1" of tenant "acme"; scimctl duplicates lists/),
    'the error log says which value two users have';
is uniqueness(), 'none', 'an attribute in conflict is published as not unique';
my ($exit, $out) = $t->scimctl('--json', 'duplicates');
my $list = $Scim::json->decode($out);
is_deeply $list, { unenforced => [{ type => 'User', attribute => "$urn:badge", state => 'conflict' }],
    duplicates => [{ tenant => 'acme', type => 'User', attribute => "$urn:badge", value => 'B-1', ids => [sort @id{qw(ada bob)}] }] },
    'scimctl duplicates lists the value and the users' or diag $out;
($exit, $out) = $t->scimctl('duplicates');
like "$exit $out", qr/^0 Tenant acme: User \Q$urn\E:badge "B-1": \S+, \S+\n\z/, 'scimctl duplicates prints a line for the value';
($exit, $out) = $t->scimctl(qw(duplicates --tenant globex));
like "$exit $out", qr/^0 No value of a unique attribute is stored twice/, 'scimctl duplicates --tenant lists only that tenant';
is_user create('hans', badge => 'B-2'), 201, 'an attribute in conflict is not enforced';
is_sound('in a conflict');

# --- resolved

my $third = $c->request(GET => "$users?filter=userName+eq+%22hans%22")->{json}{Resources}[0]{id};
is patch($id{bob}, 'badge', 'B-3')->{status} . $c->request(DELETE => "$users/$third")->{status}, '200204', 'the duplicates are changed and deleted';
reloaded($with, 'server');
is_error create('eve', badge => 'b-2'), 409, 'uniqueness', qr/badge "b-2" is taken by the User \Q$id{carl}\E/,
    'once it is resolved, the attribute is enforced for values that were stored before';
is_error create('eve', badge => 'm-499'), 409, 'uniqueness', qr/is taken by the User/, 'it is enforced for all users';
($exit, $out) = $t->scimctl('duplicates');
is "$exit $out", "0 All unique attributes are enforced.\n", 'scimctl duplicates says that all is enforced';
my $found = $c->request(GET => "$users?filter=$urn:badge+eq+%22B-1%22")->{json};
is_deeply [map $_->{id}, @{ $found->{Resources} }], [$id{ada}], 'a filter on the attribute finds the user';
is_sound('after the conflict');

# --- hidden and declared again

reloaded($plain, 404);
is $c->request(DELETE => "$users/$id{carl}")->{status}, 204, 'a user is deleted while the attribute is not declared';
is $c->request(PUT => "$users/$id{ada}", json => { schemas => [$user], userName => 'ada', title => 'Countess' })->{status}, 200,
    'a user is replaced while the attribute is not declared';
is_sound('while the attribute is not declared');
reloaded($with, 'server');
is $c->request(GET => "$users/$id{ada}")->{json}{$urn}{badge}, 'B-1', 'the value is shown again';
is_error create('eve', badge => 'B-1'), 409, 'uniqueness', qr/is taken by the User \Q$id{ada}\E/, 'the kept value is still unique';
is_user create('eve', badge => 'B-2'), 201, 'the value of the deleted user is free';
is_sound('when the attribute is declared again');

# --- not unique any more, and unique again

declare($t);
reloaded($with, 'none');
my $twin = create('ivy', badge => 'B-1');
is_user $twin, 201, 'an attribute that is not unique any more is not enforced';
is $c->request(DELETE => "$users/$twin->{json}{id}")->{status}, 204, 'the second user is deleted';
declare($t, @unique);
reloaded($with, 'server');
is_error create('ivy', badge => 'b-1'), 409, 'uniqueness', qr/is taken by the User \Q$id{ada}\E/, 'unique again, it is enforced again';

# caseExact makes it another attribute: the values are hidden, and no value is taken.
declare($t, @unique, caseExact => $yes);
reloaded($with, 'server');
is_user create('jim', badge => 'b-1'), 201, 'with another case rule the stored values are hidden';
declare($t, @unique);
reloaded($with, 'server');
is $c->request(GET => "$users/$id{ada}")->{json}{$urn}{badge}, 'B-1', 'with the first case rule they are back';
is_sound('at the end');

$t->finish;
