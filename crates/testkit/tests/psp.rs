//! The scripted PSP's idempotency keys, ledger and planned faults.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashSet;

use oncharge_domain::{
    id::OperationId,
    psp::{Instruction, PspReference, PspResponse, RefusalReason},
    session::Session,
};
use oncharge_ports::{
    Connector, Psp,
    psp::{
        InvalidSignature, NotificationError, PaymentMethod, PreparedRequest, PspError,
        PspRequest as Order,
    },
};
use oncharge_testkit::{
    Builder, Call, Fault, Reply, ScriptedPsp,
    psp::{Finish, Payment},
};

struct Shop {
    psp: ScriptedPsp,
    build: Builder,
    session: Session,
}

fn shop() -> Shop {
    let build = Builder::new(1);
    let session = build.session(&build.merchant());
    let psp = ScriptedPsp::new();
    Shop {
        psp,
        build,
        session,
    }
}

impl Shop {
    fn prepare(&self, operation: OperationId, instruction: Instruction) -> PreparedRequest {
        let method = PaymentMethod::new("tok_1".to_owned());
        let order = Order {
            operation,
            session: self.session.id,
            instruction,
            payment_method: Some(&method),
        };
        self.psp.prepare(&order).unwrap()
    }

    async fn send(&self, instruction: Instruction) -> (OperationId, Result<PspResponse, PspError>) {
        let operation = self.build.operation_id();
        let request = self.prepare(operation, instruction);
        let report = self.psp.send(&request).await;
        (operation, report.map(|report| report.response))
    }

    fn authorize(&self) -> Instruction {
        Instruction::Authorize {
            amount: self.session.amount,
            capture: false,
        }
    }

    async fn payment(&self) -> PspReference {
        match self.send(self.authorize()).await.1 {
            Ok(PspResponse::Done { reference, .. }) => reference,
            other => unreachable!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_repeated_request_moves_money_once() {
    let shop = shop();
    let payment = shop.payment().await;
    let amount = shop.session.amount;
    let operation = shop.build.operation_id();
    let request = shop.prepare(operation, Instruction::Capture { payment, amount });
    shop.psp.fail(Call::Capture, Fault::UnknownBefore);
    shop.psp.fail(Call::Capture, Fault::UnknownAfter);
    for captured in [0, 10_000] {
        assert!(matches!(
            shop.psp.send(&request).await,
            Err(PspError::Unknown(_))
        ));
        assert_eq!(shop.psp.taken(shop.session.id), captured);
    }
    let again = shop.psp.send(&request).await.unwrap();
    assert_eq!(
        Some(again.clone()),
        shop.psp.look_up(operation).await.unwrap()
    );
    assert_eq!(shop.psp.taken(shop.session.id), 10_000, "{again:?}");
    assert!(shop.psp.violations().is_empty());
}

#[tokio::test]
async fn a_challenge_ends_by_the_shopper_or_by_a_cancel() {
    let shop = shop();
    shop.psp.reply(Call::Authorize, Reply::ActionRequired);
    shop.psp.reply(Call::Authorize, Reply::Accepted);
    let (first, response) = shop.send(shop.authorize()).await;
    assert!(
        matches!(response, Ok(PspResponse::ActionRequired(_))),
        "{response:?}"
    );
    shop.psp.finish(first, Finish::Done);
    assert_eq!(shop.psp.reserved(shop.session.id), 10_000);

    let (second, response) = shop.send(shop.authorize()).await;
    let Ok(PspResponse::Accepted { reference: payment }) = response else {
        unreachable!("{response:?}");
    };
    let (_, ended) = shop.send(Instruction::Cancel { payment }).await;
    assert!(matches!(ended, Ok(PspResponse::Done { .. })), "{ended:?}");
    let current = shop.psp.current_response(second);
    assert!(
        matches!(current, Some(PspResponse::Refused(_))),
        "{current:?}"
    );
    assert_eq!(shop.psp.reserved(shop.session.id), 10_000);
}

#[tokio::test]
async fn the_ledger_refuses_impossible_operations() {
    let shop = shop();
    let (payment, amount) = (shop.payment().await, shop.session.amount);
    let refund = || Instruction::Refund {
        payment: payment.clone(),
        amount,
    };
    let capture = Instruction::Capture {
        payment: payment.clone(),
        amount,
    };
    let cancel = || Instruction::Cancel {
        payment: payment.clone(),
    };
    let nothing = PspResponse::Refused(RefusalReason::NothingHeld);
    assert_eq!(shop.send(refund()).await.1.unwrap(), nothing);
    let (captured, _) = shop.send(capture).await;
    let too_late = PspResponse::Refused(RefusalReason::AlreadyCaptured);
    assert_eq!(shop.send(cancel()).await.1.unwrap(), too_late);
    shop.send(refund()).await.1.unwrap();
    assert_eq!(shop.send(refund()).await.1.unwrap(), nothing);
    assert_eq!(shop.psp.taken(shop.session.id), 0);
    shop.psp.reverse(captured, RefusalReason::Other("x".into()));
    let taken: Vec<i64> = shop
        .psp
        .payments(shop.session.id)
        .iter()
        .map(Payment::taken)
        .collect();
    assert_eq!(taken, [-10_000], "captured although it was only refunded");
}

#[tokio::test]
async fn notifications_carry_the_current_state_and_are_verified() {
    let shop = shop();
    shop.psp.reply(Call::Authorize, Reply::Accepted);
    let (operation, _) = shop.send(shop.authorize()).await;
    shop.psp.finish(operation, Finish::Done);
    let body = shop.psp.notification_body(operation);
    let signed = |name: &str| {
        (name == ScriptedPsp::SIGNATURE_HEADER).then(|| ScriptedPsp::SIGNATURE.to_owned())
    };
    let read = |body: &[u8]| shop.psp.read_notification(body);
    let verify = |body: &[u8]| shop.psp.verify_notifications(&signed, body);
    let verified = verify(&body).unwrap();
    assert_eq!(
        verified,
        verify(&body).unwrap(),
        "the same bytes, the same key"
    );
    assert_eq!(verified[0].body, body);
    let notification = read(&verified[0].body).unwrap();
    assert_eq!(notification.operation, operation);
    assert_eq!(notification.session, shop.session.id);
    assert_eq!(notification.amount, shop.session.amount);
    assert_eq!(
        Some(notification.response),
        shop.psp.current_response(operation)
    );

    let unsigned = shop.psp.verify_notifications(&|_| None, &body);
    assert_eq!(unsigned, Err(InvalidSignature));
    let nonsense = b"nonsense".to_vec();
    let bodies = [body, shop.psp.irrelevant_body(), nonsense];
    let several = verify(&ScriptedPsp::batch(&bodies)).unwrap();
    let keys: HashSet<&str> = several.iter().map(|one| one.event_key.as_str()).collect();
    assert_eq!((several.len(), keys.len()), (3, 3), "{keys:?}");
    assert_eq!(read(&several[1].body), Err(NotificationError::Irrelevant));
    assert_eq!(read(&several[2].body), Err(NotificationError::Malformed));
}
